//! `erpctl batch`: full syncs and bulk actions. They are rows that workers carry out; this program may end at any moment.

use std::fmt::Write as _;

use sqlx::PgPool;
use syncs::batch::{self, Asked, Created, NewBatch, SyncFilter, What};

use crate::args::{Batch, How, Which, Who};
use crate::failure::Failure;
use crate::opened;
use crate::output::print;

pub(crate) async fn run(command: Batch) -> Result<(), Failure> {
    let pool = opened::database().await?;
    match command {
        Batch::FullSync { types, since, force, how } => {
            make(&pool, What::FullSync { entity_types: types, since, force }, how).await
        }
        Batch::Retry { which, how } => make(&pool, What::Retry(which.into()), how).await,
        Batch::Skip { which, how } => make(&pool, What::Skip(which.into()), how).await,
        Batch::List { limit } => list(&pool, limit).await,
        Batch::Cancel { id, who } => {
            if batch::cancel(&pool, id, &who.into()).await.map_err(not_reached)? {
                print(&format!("{id} is cancelled; what was on its way goes on\n"))
            } else {
                Err(Failure::Failed(format!("{id} is not under way; `erpctl batch list` shows what is")))
            }
        }
    }
}

async fn make(pool: &PgPool, what: What, how: How) -> Result<(), Failure> {
    if how.dry_run {
        let count = batch::count(pool, &what).await.map_err(not_reached)?;
        return print(&format!("{count} records\n"));
    }
    let new = NewBatch { what, asked: how.who.into(), idempotency_key: None };
    let (Created::New(id) | Created::Before(id) | Created::KeyInUse(id)) =
        batch::create(pool, &new).await.map_err(not_reached)?;
    print(&format!("{id}\n"))
}

async fn list(pool: &PgPool, limit: i64) -> Result<(), Failure> {
    let mut lines = String::new();
    for batch in batch::latest(pool, limit).await.map_err(not_reached)? {
        let total = batch.total.map_or_else(|| "?".to_owned(), |total| total.to_string());
        // Into a string, which never fails.
        let _ = writeln!(
            lines,
            "{} {} {} of {total}: {} done, {} failed, {} skipped, by {} at {}",
            batch.id,
            batch.kind,
            batch.status,
            batch.done,
            batch.failed,
            batch.skipped,
            batch.requested_by.as_deref().unwrap_or("nobody"),
            domain::instant::text(batch.created_at)
        );
    }
    print(&lines)
}

fn not_reached(error: sqlx::Error) -> Failure {
    Failure::failed("the database refused, or can't be reached", error)
}

impl From<Who> for Asked {
    fn from(who: Who) -> Self {
        // On the machine itself: there is no client to tell the address of.
        Self { by: who.by, reason: who.reason, ..Self::default() }
    }
}

impl From<Which> for SyncFilter {
    fn from(which: Which) -> Self {
        Self {
            source_type: which.entity_type,
            error_code: which.error_code,
            source_id: which.source_id,
            from: which.from,
            to: which.to,
            ..Self::default()
        }
    }
}
