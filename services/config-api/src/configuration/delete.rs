//! DELETE: leaves a tombstone without secrets, so that all work stops and a restart does not bring the configuration back.

use domain::RequestId;
use events::ConfigChanged;
use serde_json::{Value, json};
use service::http::ApiError;

use super::plan::Values;
use super::{Condition, Row, not_found};
use crate::State;
use crate::actor::Actor;
use crate::audit::{Action, Entry};

/// Deletes it, with its audit row and its fact, in one transaction.
///
/// # Errors
/// 404: there is none. 412. The database.
pub async fn delete(state: &State, actor: &Actor, condition: &Condition) -> Result<(), ApiError> {
    let mut transaction = state.pool.begin().await?;
    let row = Row::lock(&mut transaction).await?.filter(|row| !row.is_deleted()).ok_or_else(not_found)?;
    condition.check(Some(&row))?;
    // What the next configuration does not say for itself is as in a new one: nothing of this one comes back.
    let version: i64 = sqlx::query_scalar(
        "UPDATE config.erp_configurations SET deleted_at = clock_timestamp(), deleted_by = $1, updated_by = $1, is_enabled = false, \
             api_key_enc = '', api_secret_enc = '', webhook_secret_enc = NULL, webhook_secret_set_at = NULL, \
             webhook_secret_set_by = NULL, webhook_secret_last_used_at = NULL, previous_webhook_secret_enc = NULL, \
             previous_webhook_secret_until = NULL, previous_webhook_secret_last_used_at = NULL, adopted_at = NULL, \
             health_status = NULL, health_check_at = NULL, last_full_sync = NULL, last_sync_status = NULL, metadata = '{}' \
         RETURNING version",
    )
    .bind(&actor.subject)
    .fetch_one(&mut *transaction)
    .await?;
    let fact = ConfigChanged {
        configuration_id: row.id,
        version,
        deleted: true,
        changed: Vec::new(),
        request_id: Some(RequestId(actor.request_id.uuid())),
    };
    state.outbox().insert(&mut transaction, &[state.outbox().fact(fact)]).await?;
    let entry = Entry {
        action: Action::ConfigUpdated,
        operation: "config.deleted",
        entity_type: "configuration",
        entity_id: Some(row.id.to_string()),
        succeeded: true,
        request: Value::Null,
        response: json!({ "before": Values::of(&row).all(), "after": null }),
        metadata: json!({ "version": version }),
    };
    entry.insert(&mut transaction, actor).await?;
    service::failpoint!("config.before_delete_commit");
    transaction.commit().await?;
    state.told_facts();
    Ok(())
}
