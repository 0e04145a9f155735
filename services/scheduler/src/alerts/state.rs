//! Whether an alert holds: one open row per fingerprint. Called in the transaction that finds out.

use events::{AlertKind, Severity};
use serde_json::Value;
use sqlx::PgConnection;

/// Something that needs a human as long as it holds.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    pub(crate) kind: AlertKind,
    pub(crate) severity: Severity,
    /// Which of several ways in which it may hold, such as down or degraded; told anew when it is another.
    pub(crate) state: &'static str,
    /// One open alert for each.
    pub(crate) fingerprint: String,
    /// For people; no personal data.
    pub(crate) message: String,
    /// `value`, `threshold`, `entityType`, `referenceId` go into the fact.
    pub(crate) details: Value,
}

/// It holds: raised if it was not, told anew if its severity or state has changed. Its words are the newest in any case.
pub(crate) async fn holds(connection: &mut PgConnection, alert: &Condition) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO scheduling.alerts AS a (kind, severity, fingerprint, message, details, state)
         VALUES ($1, $2::text::scheduling.severity, $3, $4, $5, $6)
         ON CONFLICT (fingerprint) WHERE resolved_at IS NULL DO UPDATE SET
            severity = excluded.severity, message = excluded.message, details = excluded.details, state = excluded.state,
            last_seen_at = clock_timestamp(),
            occurrences = a.occurrences + CASE WHEN (a.severity, a.state) = (excluded.severity, excluded.state) THEN 0 ELSE 1 END,
            changes = a.changes + CASE WHEN (a.severity, a.state) = (excluded.severity, excluded.state) THEN 0 ELSE 1 END,
            announced_at = CASE WHEN (a.severity, a.state) = (excluded.severity, excluded.state) THEN a.announced_at END
         WHERE (a.severity, a.state, a.message, a.details) IS DISTINCT FROM (excluded.severity, excluded.state, excluded.message, excluded.details)",
    )
    .bind(alert.kind.as_str())
    .bind(alert.severity.as_str())
    .bind(&alert.fingerprint)
    .bind(&alert.message)
    .bind(&alert.details)
    .bind(alert.state)
    .execute(connection)
    .await?;
    Ok(())
}

/// It is over, if it held.
pub(crate) async fn is_over(connection: &mut PgConnection, fingerprint: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE scheduling.alerts SET resolved_at = clock_timestamp() WHERE fingerprint = $1 AND resolved_at IS NULL",
    )
    .bind(fingerprint)
    .execute(connection)
    .await?;
    Ok(())
}

/// One of the two.
pub(crate) async fn set(connection: &mut PgConnection, holding: bool, alert: &Condition) -> Result<(), sqlx::Error> {
    if holding { holds(connection, alert).await } else { is_over(connection, &alert.fingerprint).await }
}
