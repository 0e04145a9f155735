//! The audit row of what an admin did: who, where from, what it was before and after, without secrets and personal data.
//!
//! It is written in the transaction of the change: neither is there without the other.

use secrets::redact::redact;
use serde_json::Value;
use sqlx::PgConnection;

use crate::actor::Actor;

/// Under which of the five actions it goes; the operation says which it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    ConfigUpdated,
    ManualSync,
    HealthCheck,
}

impl Action {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ConfigUpdated => "config_updated",
            Self::ManualSync => "manual_sync",
            Self::HealthCheck => "health_check",
        }
    }
}

/// A row, still to be written.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    pub action: Action,
    /// What was done: `config.updated`, in `metadata.operation`.
    pub operation: &'static str,
    /// What it was done to: `configuration`, `job`.
    pub entity_type: &'a str,
    pub entity_id: Option<String>,
    /// Whether it went well.
    pub succeeded: bool,
    /// What was asked for; redacted when it is written.
    pub request: Value,
    /// What came of it; redacted when it is written.
    pub response: Value,
    /// Beside the operation; an object.
    pub metadata: Value,
}

impl Entry<'_> {
    /// Writes it.
    ///
    /// # Errors
    /// The database; the transaction is then to be rolled back.
    pub async fn insert(self, connection: &mut PgConnection, actor: &Actor) -> Result<(), sqlx::Error> {
        let mut metadata = redact(&self.metadata);
        if let Some(members) = metadata.as_object_mut() {
            members.insert("operation".to_owned(), self.operation.into());
        }
        sqlx::query(
            "INSERT INTO audit.erp_audit_logs (action, entity_type, entity_id, status, request_payload, response_payload, \
                 ip_address, user_agent, performed_by, request_id, metadata) \
             VALUES ($1::audit.action, $2, $3, $4::audit.status, $5, $6, $7::inet, $8, $9, $10, $11)",
        )
        .bind(self.action.as_str())
        .bind(self.entity_type)
        .bind(self.entity_id)
        .bind(if self.succeeded { "success" } else { "failed" })
        .bind(redact(&self.request))
        .bind(redact(&self.response))
        .bind(actor.address.map(|address| address.to_string()))
        .bind(actor.user_agent.as_deref())
        .bind(&actor.subject)
        .bind(actor.request_id.uuid())
        .bind(metadata)
        .execute(connection)
        .await?;
        service::failpoint!("admin.before_commit");
        Ok(())
    }
}
