//! PUT: changes some of the configuration, or makes the first.

use std::time::Duration;

use domain::{ErrorCode, RequestId};
use events::ConfigChanged;
use secrecy::SecretString;
use secrets::Place;
use serde_json::json;
use service::http::ApiError;
use sqlx::PgConnection;

use super::change::check_base_url;
use super::plan::{DEFAULT_BASE_URL, Plan, name};
use super::{Change, Condition, Row};
use crate::State;
use crate::actor::Actor;
use crate::audit::{Action, Entry};
use crate::store::TABLE;

/// A name that takes longer to resolve does not resolve.
pub(super) const RESOLVED_WITHIN: Duration = Duration::from_secs(5);
/// How long a replaced webhook secret stays valid, in hours.
const STAYS_VALID_HOURS: i32 = 24;

/// Saves the change with its audit row and its fact, in one transaction, and gives the row after it. A change that changes nothing leaves
/// no trace.
///
/// # Errors
/// 400: key or secret is missing from a first configuration, or the base URL may not be called. 412. The database.
pub async fn save(state: &State, actor: &Actor, change: &Change, condition: &Condition) -> Result<Row, ApiError> {
    if let Some(url) = &change.base_url {
        // Before the transaction: names may take their time.
        check_base_url(url, state.config.allow_private_base_url)
            .await
            .map_err(|issue| refused().with_detail("baseURL", issue))?;
    }
    let mut transaction = state.pool.begin().await?;
    let row = Row::lock_or_make(&mut transaction).await?;
    condition.check(Some(&row).filter(|row| !row.is_deleted()))?;
    let default_base_url = state.config.first.base_url.as_ref().map_or(DEFAULT_BASE_URL, super::change::stored_text);
    let plan = Plan::of(&row, change, &state.config.keyring, default_base_url);
    if plan.is_new {
        let needed = [("apiKey", change.api_key.is_some()), ("apiSecret", change.api_secret.is_some())];
        let missing = needed.into_iter().filter(|(_, is_there)| !is_there);
        let mut error = None;
        for (field, _) in missing {
            error = Some(error.unwrap_or_else(refused).with_detail(field, "is needed for a first configuration"));
        }
        if let Some(error) = error {
            return Err(error);
        }
    } else if plan.changed.is_empty() {
        return Ok(row);
    }
    update(&mut transaction, state, actor, &row, &plan).await?;
    let after = Row::lock(&mut transaction).await?.ok_or(sqlx::Error::RowNotFound)?;
    let fact = ConfigChanged {
        configuration_id: after.id,
        version: after.version,
        deleted: false,
        changed: plan.changed.clone(),
        request_id: Some(RequestId(actor.request_id.uuid())),
    };
    state.outbox().insert(&mut transaction, &[state.outbox().fact(fact)]).await?;
    let entry = Entry {
        action: Action::ConfigUpdated,
        operation: if plan.is_new { "config.created" } else { "config.updated" },
        entity_type: "configuration",
        entity_id: Some(after.id.to_string()),
        succeeded: true,
        request: change.audited(),
        response: plan.audited(&row),
        metadata: json!({ "version": after.version, "changed": plan.changed.iter().map(|field| name(*field)).collect::<Vec<_>>() }),
    };
    entry.insert(&mut transaction, actor).await?;
    service::failpoint!("config.before_commit");
    transaction.commit().await?;
    service::failpoint!("config.after_commit");
    state.told_facts();
    Ok(after)
}

fn refused() -> ApiError {
    ApiError::new(ErrorCode::ValidationError, "the configuration can't be saved so; see details")
}

async fn update(
    connection: &mut PgConnection,
    state: &State,
    actor: &Actor,
    row: &Row,
    plan: &Plan,
) -> Result<(), sqlx::Error> {
    let sealed = |column, secret: &Option<SecretString>| {
        let place = Place { table: TABLE, row: row.id, column };
        secret.as_ref().map(|secret| state.config.keyring.encrypt(&place, secret))
    };
    sqlx::query(
        "UPDATE config.erp_configurations SET \
             base_url = $2, is_enabled = $3, sync_interval_secs = $4, enable_auto_sync = $5, enable_webhooks = $6, \
             sync_scope = $7, conflict_policy = $8::config.conflict_policy, \
             api_key_enc = coalesce($9, api_key_enc), \
             api_key_set_at = CASE WHEN $9 IS NULL THEN api_key_set_at ELSE clock_timestamp() END, \
             api_key_set_by = CASE WHEN $9 IS NULL THEN api_key_set_by ELSE $1 END, \
             api_secret_enc = coalesce($10, api_secret_enc), \
             api_secret_set_at = CASE WHEN $10 IS NULL THEN api_secret_set_at ELSE clock_timestamp() END, \
             api_secret_set_by = CASE WHEN $10 IS NULL THEN api_secret_set_by ELSE $1 END, \
             webhook_secret_enc = coalesce($11, webhook_secret_enc), \
             webhook_secret_set_at = CASE WHEN $11 IS NULL THEN webhook_secret_set_at ELSE clock_timestamp() END, \
             webhook_secret_set_by = CASE WHEN $11 IS NULL THEN webhook_secret_set_by ELSE $1 END, \
             webhook_secret_last_used_at = CASE WHEN $11 IS NULL THEN webhook_secret_last_used_at END, \
             previous_webhook_secret_enc = CASE WHEN $11 IS NULL THEN previous_webhook_secret_enc ELSE $12 END, \
             previous_webhook_secret_until = CASE WHEN $11 IS NULL THEN previous_webhook_secret_until \
                 WHEN $12 IS NOT NULL THEN clock_timestamp() + make_interval(hours => $13) END, \
             previous_webhook_secret_last_used_at = CASE WHEN $11 IS NULL THEN previous_webhook_secret_last_used_at \
                 WHEN $12 IS NOT NULL THEN webhook_secret_last_used_at END, \
             adopted_at = CASE WHEN $14 THEN clock_timestamp() WHEN NOT $15 THEN adopted_at END, \
             created_at = CASE WHEN $15 THEN clock_timestamp() ELSE created_at END, \
             deleted_at = NULL, deleted_by = NULL, updated_by = $1",
    )
    .bind(&actor.subject)
    .bind(&plan.values.base_url)
    .bind(plan.values.is_enabled)
    .bind(plan.values.sync_interval)
    .bind(plan.values.enable_auto_sync)
    .bind(plan.values.enable_webhooks)
    .bind(json!(plan.values.sync_scope))
    .bind(plan.values.conflict_policy.as_str())
    .bind(sealed("api_key_enc", &plan.api_key))
    .bind(sealed("api_secret_enc", &plan.api_secret))
    .bind(sealed("webhook_secret_enc", &plan.webhook_secret))
    // Bound to its column, so encrypted anew.
    .bind(sealed("previous_webhook_secret_enc", &plan.replaced_webhook_secret))
    .bind(STAYS_VALID_HOURS)
    .bind(plan.adopts)
    .bind(plan.is_new)
    .execute(connection)
    .await?;
    Ok(())
}
