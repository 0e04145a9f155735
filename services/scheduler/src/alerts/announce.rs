//! States the fact of every alert that is new, changed or over, and makes its notices: one transaction, by one scheduler.

use std::sync::Arc;

use domain::EntityType;
use events::{AlertKind, AlertRaised, AlertState, Severity};
use messaging::{Outbox, PendingFact};
use serde::Deserialize;
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection, PgPool};
use tokio::sync::Notify;
use uuid::Uuid;

/// Alerts in one transaction.
const BATCH: i64 = 100;

/// Announces.
#[derive(Debug, Clone)]
pub(crate) struct Announcer {
    pub(crate) pool: PgPool,
    pub(crate) outbox: Outbox,
    /// Rung when facts were stated.
    pub(crate) stated: Arc<Notify>,
    /// The ways that notices go.
    pub(crate) channels: Vec<&'static str>,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    kind: String,
    severity: String,
    details: Json<Details>,
}

/// What of the details goes into the fact. Whoever raises an alert may write others.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Details {
    value: Option<i64>,
    threshold: Option<i64>,
    entity_type: Option<String>,
    reference_id: Option<Uuid>,
}

impl Announcer {
    /// Announces what is to be; returns how many alerts.
    ///
    /// # Errors
    /// The database; nothing is announced then.
    pub(crate) async fn announce(&self) -> Result<usize, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let begun: Vec<Row> = sqlx::query_as(
            "UPDATE scheduling.alerts SET announced_at = clock_timestamp() WHERE id IN (
                SELECT id FROM scheduling.alerts WHERE announced_at IS NULL ORDER BY raised_at LIMIT $1 FOR UPDATE SKIP LOCKED)
             RETURNING id, kind, severity::text, details",
        )
        .bind(BATCH)
        .fetch_all(&mut *transaction)
        .await?;
        self.tell(&mut transaction, &begun, AlertState::Raised).await?;
        let ended: Vec<Row> = sqlx::query_as(
            "UPDATE scheduling.alerts SET end_announced_at = clock_timestamp() WHERE id IN (
                SELECT id FROM scheduling.alerts
                WHERE resolved_at IS NOT NULL AND end_announced_at IS NULL AND announced_at IS NOT NULL
                ORDER BY raised_at LIMIT $1 FOR UPDATE SKIP LOCKED)
             RETURNING id, kind, severity::text, details",
        )
        .bind(BATCH)
        .fetch_all(&mut *transaction)
        .await?;
        self.tell(&mut transaction, &ended, AlertState::Resolved).await?;
        let announced = begun.len() + ended.len();
        if announced == 0 {
            return Ok(0);
        }
        service::failpoint!("alerts.before_announced");
        transaction.commit().await?;
        service::failpoint!("alerts.after_announced");
        self.stated.notify_one();
        Ok(announced)
    }

    async fn tell(&self, connection: &mut PgConnection, rows: &[Row], state: AlertState) -> Result<(), sqlx::Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let facts: Vec<PendingFact> = rows.iter().filter_map(|row| Some(self.outbox.fact(fact(row, state)?))).collect();
        self.outbox.insert(connection, &facts).await?;
        // One that has changed is sent again.
        sqlx::query(
            "INSERT INTO scheduling.alert_notices (alert_id, ended, channel)
             SELECT id, $2, channel FROM unnest($1::uuid[]) AS alerts (id), unnest($3::text[]) AS channels (channel)
             ON CONFLICT (alert_id, ended, channel) DO UPDATE SET
                due_at = clock_timestamp(), attempts = 0, sent_at = NULL, error = NULL",
        )
        .bind(rows.iter().map(|row| row.id).collect::<Vec<_>>())
        .bind(state == AlertState::Resolved)
        .bind(&self.channels)
        .execute(connection)
        .await?;
        for row in rows {
            tracing::warn!(alert_id = %row.id, kind = row.kind, severity = row.severity, state = ?state, "alert");
        }
        Ok(())
    }
}

/// The fact; none of a kind that nobody knows.
fn fact(row: &Row, state: AlertState) -> Option<AlertRaised> {
    let Details { value, threshold, entity_type, reference_id } = &row.details.0;
    Some(AlertRaised {
        alert_id: row.id,
        kind: AlertKind::ALL.into_iter().find(|kind| kind.as_str() == row.kind)?,
        severity: [Severity::Info, Severity::Warning, Severity::Critical]
            .into_iter()
            .find(|severity| severity.as_str() == row.severity)?,
        state,
        value: *value,
        threshold: *threshold,
        entity_type: entity_type.as_ref().and_then(|name| name.parse::<EntityType>().ok()),
        reference_id: *reference_id,
    })
}
