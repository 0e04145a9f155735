//! The gate's row: read with the clock that its times are by, changed by compare-and-set together with the fact that tells of it. A process that
//! dies between reading and writing has changed nothing.

use domain::{
    ErrorCode, SyncId,
    gate::{Breaker, Gate, Hold, Probe, Stop, Streak},
};
use sqlx::{PgExecutor, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use super::fact::Fact;

/// The gate as it was at a moment.
#[derive(Debug, Clone)]
pub(super) struct Read {
    pub(super) gate: Gate,
    pub(super) version: i64,
    /// The database's clock then.
    pub(super) now: OffsetDateTime,
}

#[derive(sqlx::FromRow)]
struct Row {
    version: i64,
    now: OffsetDateTime,
    state: String,
    failures: i32,
    failed_records: Vec<Uuid>,
    health_failed: bool,
    opened_at: Option<OffsetDateTime>,
    retry_at: Option<OffsetDateTime>,
    probe_owner: Option<Uuid>,
    probe_until: Option<OffsetDateTime>,
    last_probe: Option<Uuid>,
    not_before: Option<OffsetDateTime>,
    not_before_reason: Option<String>,
    stopped_reason: Option<String>,
    stopped_version: Option<i64>,
    paused: bool,
}

/// # Errors
/// The database can't be read.
pub(super) async fn read(executor: impl PgExecutor<'_>) -> Result<Read, sqlx::Error> {
    let row: Row = sqlx::query_as(
        "SELECT version, now, state, failures, failed_records, health_failed, opened_at, retry_at, probe_owner, probe_until, last_probe,
            not_before, not_before_reason, stopped_reason, stopped_version, paused
         FROM sync.gate_for_callers",
    )
    .fetch_one(executor)
    .await?;
    Ok(Read { version: row.version, now: row.now, gate: row.gate() })
}

/// Writes the gate over the version that was read. False: somebody else has changed it meanwhile.
///
/// # Errors
/// The database can't be written.
pub(super) async fn write(pool: &PgPool, version: i64, gate: &Gate, fact: Option<&Fact>) -> Result<bool, sqlx::Error> {
    let (state, opened_at, retry_at, probe, streak) = match &gate.breaker {
        Breaker::Closed(streak) => ("closed", None, None, None, streak.clone()),
        Breaker::Open { opened_at, retry_at, .. } => ("open", Some(opened_at), Some(retry_at), None, Streak::default()),
        Breaker::HalfOpen { opened_at, probe, .. } => {
            ("half_open", Some(opened_at), None, Some(probe), Streak::default())
        }
    };
    sqlx::query_scalar(
        "SELECT sync.gate_write($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
    )
    .bind(version)
    .bind(state)
    .bind(i32::try_from(gate.failures()).unwrap_or(i32::MAX))
    .bind(streak.records.iter().map(|record| record.as_uuid()).collect::<Vec<_>>())
    .bind(streak.health_failed)
    .bind(opened_at)
    .bind(retry_at)
    .bind(probe.map(|probe| probe.owner))
    .bind(probe.map(|probe| probe.until))
    .bind(gate.last_probe.map(|record| record.as_uuid()))
    .bind(gate.hold.map(|hold| hold.until))
    .bind(gate.hold.map(|hold| hold.code.as_str()))
    .bind(gate.stop.map(|stop| stop.code.as_str()))
    .bind(gate.stop.map(|stop| stop.version))
    .bind(fact.map(|fact| fact.subject.as_str()))
    .bind(fact.map(|fact| fact.event_id))
    .bind(fact.map(|fact| fact.body.as_slice()))
    .bind(fact.and_then(|fact| fact.traceparent.as_deref()))
    .fetch_one(pool)
    .await
}

impl Row {
    /// The table's checks say which columns go together; where they could not be read all the same (a state of a newer version), it counts as
    /// closed for business.
    fn gate(self) -> Gate {
        let failures = u32::try_from(self.failures).unwrap_or(0);
        let opened_at = self.opened_at.unwrap_or(self.now);
        let breaker = match (self.state.as_str(), self.probe_owner, self.probe_until) {
            ("closed", ..) => Breaker::Closed(Streak {
                failures,
                records: self.failed_records.into_iter().map(SyncId).collect(),
                health_failed: self.health_failed,
            }),
            ("half_open", Some(owner), Some(until)) => {
                Breaker::HalfOpen { opened_at, probe: Probe { owner, until }, failures }
            }
            _ => Breaker::Open { opened_at, retry_at: self.retry_at.unwrap_or(self.now), failures },
        };
        // A code that a newer version wrote still says that there is a reason.
        let code = |text: &str| text.parse().unwrap_or(ErrorCode::UnknownError);
        Gate {
            breaker,
            last_probe: self.last_probe.map(SyncId),
            hold: self.not_before.map(|until| Hold {
                until,
                code: self.not_before_reason.as_deref().map_or(ErrorCode::RateLimitExceeded, code),
            }),
            stop: self
                .stopped_reason
                .as_deref()
                .map(|reason| Stop { code: code(reason), version: self.stopped_version.unwrap_or(0) }),
            paused: self.paused,
        }
    }
}
