//! One run, held under a lease on the database's clock.
//!
//! A reconciler that dies leaves a lease that ends; the next one takes the run up where it is. One that was frozen for longer than its lease finds, at
//! its next step, that the run is no longer its own ([`StepError::Lost`]): each step writes only where the run's owner is still the same.
//!
//! Nor is anybody kept waiting by one that is frozen: PostgreSQL ends a transaction of a run's in which nothing has happened for a lease
//! ([`Run::begin`]), and what it holds until then is never what its successor needs.

use std::time::Duration;

use domain::EntityType;
use domain::instant::to_millis;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres, Transaction};
use syncs::reconciliation::Totals;
use time::OffsetDateTime;
use uuid::Uuid;

/// The longest that a transaction in which nothing happens may stand, however long the lease is.
const LONGEST_IDLE: Duration = Duration::from_secs(30);

/// A run in hand.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// The row of `reconciliation.runs`, which is also the request id of its calls.
    pub(crate) id: Uuid,
    /// The fence: new each time that it is taken up.
    pub(crate) owner: Uuid,
    pub(crate) pool: PgPool,
    pub(crate) lease: Duration,
    /// Start of the window, included.
    pub(crate) from: OffsetDateTime,
    /// End of the window, not included.
    pub(crate) to: OffsetDateTime,
    /// What changed then or later is left out.
    pub(crate) cutoff: OffsetDateTime,
    /// As asked for.
    pub(crate) types: Vec<EntityType>,
    pub(crate) auto_heal: bool,
    /// What it is of; none before it is taken up first.
    pub(crate) basis: Option<String>,
    /// Names the table of its staged records; none before its window is cut.
    pub(crate) staging: Option<Uuid>,
    /// Whether the pages were compared: what is in doubt is in suspects then.
    pub(crate) is_compared: bool,
    pub(crate) totals: Totals,
    /// What could not be read; set when the pages were compared.
    pub(crate) unread: Option<String>,
}

/// Why a step of a run could not be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    /// The run is another's by now.
    #[error("the lease of this run is over")]
    Lost,
    /// The database could not be reached, or refused.
    #[error("the database")]
    Database(#[from] sqlx::Error),
}

impl StepError {
    /// Why the database will never take what was to be written, in words; none when the next try may go another way. Data that it can't hold (class 22),
    /// that breaks a rule (23), or a statement that it does not understand or permit (42).
    pub(crate) fn refusal(&self) -> Option<String> {
        let Self::Database(error) = self else { return None };
        let refused = error.as_database_error()?;
        let code = refused.code()?;
        ["22", "23", "42"]
            .iter()
            .any(|class| code.starts_with(class))
            .then(|| format!("the database refuses what is to be written: {} ({code})", refused.message()))
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    window_from: OffsetDateTime,
    window_to: OffsetDateTime,
    cutoff_at: OffsetDateTime,
    entity_types: Vec<String>,
    auto_heal: bool,
    basis: Option<String>,
    staging: Option<Uuid>,
    is_compared: bool,
    totals: Json<Totals>,
    error: Option<String>,
}

/// Takes up the oldest run that nobody has in hand.
///
/// # Errors
/// The database can't be reached.
pub(crate) async fn take(pool: &PgPool, lease: Duration) -> Result<Option<Run>, sqlx::Error> {
    let owner = Uuid::new_v4();
    let mut transaction = begin(pool, lease).await?;
    let row: Option<Row> = sqlx::query_as(
        "WITH next AS MATERIALIZED (
            SELECT id FROM reconciliation.runs
            WHERE status IN ('pending', 'running') AND (lease_until IS NULL OR lease_until < clock_timestamp())
            ORDER BY created_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
         UPDATE reconciliation.runs r SET status = 'running', lease_owner = $1, lease_until = clock_timestamp() + $2,
            started_at = coalesce(r.started_at, clock_timestamp()),
            cutoff_at = coalesce(r.cutoff_at, clock_timestamp() - make_interval(secs => r.cutoff_secs))
         FROM next WHERE r.id = next.id
         RETURNING r.id, r.window_from, r.window_to, r.cutoff_at, r.entity_types::text[], r.auto_heal, r.basis, r.staging,
            r.compared_at IS NOT NULL AS is_compared, r.totals, r.error",
    )
    .bind(owner)
    .bind(lease)
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(row) = row else { return Ok(None) };
    sqlx::query("UPDATE reconciliation.slices SET owner = $2 WHERE run_id = $1")
        .bind(row.id)
        .bind(owner)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Some(Run {
        id: row.id,
        owner,
        pool: pool.clone(),
        lease,
        from: to_millis(row.window_from),
        to: up_to_millis(row.window_to),
        cutoff: row.cutoff_at,
        types: row.entity_types.iter().filter_map(|kind| kind.parse().ok()).collect(),
        auto_heal: row.auto_heal,
        basis: row.basis,
        staging: row.staging,
        is_compared: row.is_compared,
        totals: row.totals.0,
        unread: row.error,
    }))
}

/// FlashERP's clock has milliseconds: a window ends with a whole one.
fn up_to_millis(at: OffsetDateTime) -> OffsetDateTime {
    let whole = to_millis(at);
    if whole < at { whole + time::Duration::MILLISECOND } else { whole }
}

/// Begins a transaction that does not outlive its process' freezing by more than a lease.
async fn begin(pool: &PgPool, lease: Duration) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let idle = lease.min(LONGEST_IDLE).as_millis();
    pool.begin_with(AssertSqlSafe(format!("BEGIN; SET LOCAL idle_in_transaction_session_timeout = {idle}"))).await
}

impl Run {
    /// Begins a transaction. One in which nothing happens for a lease is ended: what it holds, whoever has the run by then needs.
    ///
    /// # Errors
    /// The database can't be reached.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        begin(&self.pool, self.lease).await
    }

    /// Makes the lease last so long from now on.
    ///
    /// # Errors
    /// The run is another's, or the database can't be reached.
    pub(crate) async fn renew(&self, lease: Duration) -> Result<(), StepError> {
        let renewed = sqlx::query(
            "UPDATE reconciliation.runs SET lease_until = clock_timestamp() + $3
             WHERE id = $1 AND lease_owner = $2 AND status = 'running'",
        )
        .bind(self.id)
        .bind(self.owner)
        .bind(lease)
        .execute(&self.pool)
        .await?;
        if renewed.rows_affected() == 1 { Ok(()) } else { Err(StepError::Lost) }
    }

    /// Gives the run back as it is, so that another one goes on with it at once.
    ///
    /// # Errors
    /// The database can't be reached; the lease ends.
    pub(crate) async fn give_back(&self) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE reconciliation.runs SET lease_owner = NULL, lease_until = NULL
             WHERE id = $1 AND lease_owner = $2 AND status = 'running'",
        )
        .bind(self.id)
        .bind(self.owner)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Locks the run in a transaction that writes for it.
    ///
    /// # Errors
    /// The run is another's, or the database can't be reached.
    pub(crate) async fn fence(&self, connection: &mut PgConnection) -> Result<(), StepError> {
        let ours: Option<i32> = sqlx::query_scalar(
            "SELECT 1 FROM reconciliation.runs WHERE id = $1 AND lease_owner = $2 AND status = 'running' FOR NO KEY UPDATE",
        )
        .bind(self.id)
        .bind(self.owner)
        .fetch_optional(connection)
        .await?;
        ours.map(|_| ()).ok_or(StepError::Lost)
    }

    /// The table of its staged records.
    ///
    /// # Errors
    /// Its window is not cut yet, or its pages are compared: whoever works on it has it no more.
    pub(crate) fn staging(&self) -> Result<String, StepError> {
        Ok(format!("reconciliation.staging_{}", self.staging.ok_or(StepError::Lost)?.simple()))
    }
}
