//! A sync asked for by hand, and waited for.
//!
//! The wish, its audit row and the place in the row's counter that answers it are one transaction; the hint goes out after the commit. Then the
//! caller waits for the fact of an attempt that answers it. Where the broker is away the row is looked at each second instead, as workers find it by
//! their timer too. A process that dies has asked, or has not: nothing is half asked, and the same request again asks once more.

use std::time::Duration;

use domain::{EntityType, ErrorCode, SourceSystem, SyncId};
use events::{SyncRequested, SyncResult as Did};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};
use uuid::Uuid;

use super::result::{Failure, SyncResult};
use super::row::{COLUMNS, Sync};
use crate::audit::{Action, Entry};
use crate::facts::{Attempted, Told, Waiting};
use crate::{Actor, State};

/// How often the row is looked at while the broker is away.
const LOOKED_AT: Duration = Duration::from_secs(1);

/// What came of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// UpCoach has no such record.
    NotFound,
    /// Done, well or not.
    Done(SyncResult),
    /// Under way still.
    UnderWay(SyncResult),
}

/// Asks for a sync of a record, and waits for its end so long at most.
///
/// # Errors
/// The database.
pub(crate) async fn sync(
    state: &State,
    actor: &Actor,
    kind: EntityType,
    id: Uuid,
    wait: Duration,
) -> Result<Outcome, sqlx::Error> {
    if !exists(&state.pool, kind, id).await? {
        return Ok(Outcome::NotFound);
    }
    let sync = SyncId::of(SourceSystem::Upcoach, kind, id);
    let begun = Instant::now();
    // Heard from here on, asked for after: nothing that answers can be missed.
    let waiting = state.facts.wait_for(sync);
    let counter = ask(&state.pool, actor, kind, id, sync).await?;
    state.broker.hints().publish(SyncRequested { entity_type: kind, ids: vec![id] });
    if is_held_back(&state.pool).await? {
        let message =
            "accepted; work is held back at the moment (paused, or FlashERP is not available) and goes on by itself";
        return Ok(Outcome::UnderWay(SyncResult::under_way(sync, message)));
    }
    let answered = answered(state, waiting, sync, counter, begun + wait).await?;
    let row = read(&state.pool, sync).await?;
    Ok(match answered {
        Some(Answer::Attempt(attempted, duration)) => Outcome::Done(of_attempt(sync, attempted, duration, row)),
        Some(Answer::Row(row)) => Outcome::Done(SyncResult::of_row(&row)),
        None => match row.filter(|row| row.answers(counter)) {
            Some(row) => Outcome::Done(SyncResult::of_row(&row.sync)),
            None => Outcome::UnderWay(SyncResult::under_way(sync, "accepted; it goes on, see Location")),
        },
    })
}

async fn exists(pool: &PgPool, kind: EntityType, id: Uuid) -> Result<bool, sqlx::Error> {
    let statement = match kind {
        EntityType::Customer => "SELECT EXISTS (SELECT FROM upcoach.users WHERE id = $1)",
        EntityType::Transaction => "SELECT EXISTS (SELECT FROM upcoach.transactions WHERE id = $1)",
        EntityType::Subscription => "SELECT EXISTS (SELECT FROM upcoach.subscriptions WHERE id = $1)",
        EntityType::Invoice => "SELECT EXISTS (SELECT FROM upcoach.invoices WHERE id = $1)",
        EntityType::FinancialReport => "SELECT EXISTS (SELECT FROM scheduling.reports_for_sync_worker WHERE id = $1)",
    };
    sqlx::query_scalar(statement).bind(id).fetch_one(pool).await
}

/// Asks; the value of the row's counter that answers it. By hand is forced: FlashERP itself is asked, not what was sent last.
async fn ask(pool: &PgPool, actor: &Actor, kind: EntityType, id: Uuid, sync: SyncId) -> Result<i64, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let counter = sqlx::query_scalar("SELECT sync.request_counted($1, $2::text::sync.entity_type, $3, 'manual', true)")
        .bind(sync.as_uuid())
        .bind(kind.as_str())
        .bind(id)
        .fetch_one(&mut *transaction)
        .await?;
    let asked = Entry {
        action: Action::ManualSync,
        operation: "sync.requested",
        entity_type: kind.as_str(),
        entity_id: Some(id.to_string()),
        succeeded: true,
        request: json!({"force": true}),
        response: Value::Null,
        metadata: json!({"syncId": sync}),
    };
    asked.insert(&mut transaction, actor).await?;
    transaction.commit().await?;
    service::failpoint!("admin.before_hint");
    Ok(counter)
}

/// Whether no worker would claim it now.
async fn is_held_back(pool: &PgPool) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT state <> 'closed' OR paused_at IS NOT NULL OR stopped_reason IS NOT NULL OR coalesce(not_before > clock_timestamp(), false)
         FROM sync.gate_for_readers",
    )
    .fetch_one(pool)
    .await
}

/// How the wish was answered.
enum Answer {
    Attempt(Attempted, u64),
    Row(Box<Sync>),
}

async fn answered(
    state: &State,
    mut waiting: Waiting,
    sync: SyncId,
    counter: i64,
    until: Instant,
) -> Result<Option<Answer>, sqlx::Error> {
    let mut looks = interval_at(Instant::now() + LOOKED_AT, LOOKED_AT);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let told = tokio::select! {
            told = waiting.next() => told,
            _ = looks.tick(), if !state.broker.is_connected() => Told::Gap,
            () = sleep_until(until) => return Ok(None),
        };
        match told {
            Told::Attempt { attempted, answers, duration } if answers >= counter => {
                return Ok(Some(Answer::Attempt(attempted, duration)));
            }
            // An earlier wish's.
            Told::Attempt { .. } => {}
            Told::Gap => {
                if let Some(row) = read(&state.pool, sync).await?.filter(|row| row.answers(counter)) {
                    return Ok(Some(Answer::Row(Box::new(row.sync))));
                }
            }
        }
    }
}

#[derive(sqlx::FromRow)]
struct Standing {
    #[sqlx(flatten)]
    sync: Sync,
    taken: i64,
    nothing_asked: bool,
}

impl Standing {
    /// Whether the wish with this place in the counter has its answer. Wishes that the fold had no use for don't raise the counter; then the row
    /// rests with nothing asked.
    fn answers(&self, counter: i64) -> bool {
        let rests = matches!(self.sync.sync_status.as_str(), "synced" | "failed" | "skipped");
        rests && (self.taken >= counter || self.nothing_asked)
    }
}

async fn read(pool: &PgPool, sync: SyncId) -> Result<Option<Standing>, sqlx::Error> {
    let statement = format!("SELECT {COLUMNS}, r.taken, r.nothing_asked FROM sync.for_readers AS r WHERE r.id = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(sync.as_uuid()).fetch_optional(pool).await
}

/// What an attempt did; its words are in the row, if that has not gone on meanwhile.
fn of_attempt(sync: SyncId, attempted: Attempted, duration: u64, row: Option<Standing>) -> SyncResult {
    let row = row.map(|row| row.sync);
    match attempted {
        Attempted::Completed { result, target_id } => SyncResult {
            success: true,
            status: if result == Did::Skipped { "skipped" } else { "synced" }.to_owned(),
            target_id: target_id.map(|id| id.to_string()),
            message: did(result).to_owned(),
            skipped: result == Did::Skipped,
            duration: Some(duration),
            ..SyncResult::of(sync)
        },
        Attempted::Failed { code, target_id } => {
            let words = row.filter(|row| row.error_code.as_deref() == Some(code.as_str()));
            let details = words.as_ref().and_then(|row| row.error_details.as_ref().map(|details| details.0.clone()));
            let message = words.and_then(|row| row.error_message);
            SyncResult {
                status: "failed".to_owned(),
                target_id: target_id.map(|id| id.to_string()),
                message: code.advice().to_owned(),
                error: Some(Failure {
                    code: code.as_str().to_owned(),
                    message: message.unwrap_or_else(|| code.advice().to_owned()),
                    details,
                }),
                duration: Some(duration),
                ..SyncResult::of(sync)
            }
        }
    }
}

const fn did(result: Did) -> &'static str {
    match result {
        Did::Created => "made in FlashERP",
        Did::Updated => "changed in FlashERP",
        Did::Adopted => "taken over: FlashERP held it already",
        Did::Cancelled => "cancelled in FlashERP",
        Did::Unchanged => "both sides are in step; nothing was sent",
        Did::Pulled => "FlashERP's version was taken over",
        Did::Skipped => "left out: its type is not in the scope, or somebody skipped it",
    }
}

/// An error code as the row has it.
pub(super) fn advice(code: Option<&str>) -> &'static str {
    code.and_then(|code| code.parse::<ErrorCode>().ok()).unwrap_or(ErrorCode::UnknownError).advice()
}
