//! The configuration row in the database: whether there is one, and its first insertion.

use flasherp::guard::UrlRefused;
use secrecy::SecretString;
use secrets::{Keyring, Place, redact::redact};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::OUTBOX;
use crate::first_configuration::FirstConfiguration;

/// The row's table, as ciphertexts are bound to it.
pub const TABLE: &str = "config.erp_configurations";
/// Who saved it, in `updated_by` and audit rows.
pub const BY_ENVIRONMENT: &str = "environment";

/// What the database knows of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// There never was one.
    Nothing,
    /// It was deleted, and stays so until an admin saves a new one.
    Tombstone,
    /// There is one, and it rules.
    Configuration,
}

/// Why the first configuration could not be saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    #[error("FLASHERP_BASE_URL is refused: {0}")]
    BaseUrl(#[from] UrlRefused),
    #[error("the database")]
    Database(#[from] sqlx::Error),
}

/// Looks what there is.
///
/// # Errors
/// The database.
pub async fn known(pool: &PgPool) -> Result<Known, sqlx::Error> {
    let deleted: Option<bool> =
        sqlx::query_scalar("SELECT deleted_at IS NOT NULL FROM config.erp_configurations").fetch_optional(pool).await?;
    Ok(match deleted {
        None => Known::Nothing,
        Some(true) => Known::Tombstone,
        Some(false) => Known::Configuration,
    })
}

/// Saves the first configuration with its audit row and its fact, in one transaction. `None` when another process, or an admin, was
/// first; then nothing is changed.
///
/// # Errors
/// [`SaveError`]; nothing is saved then.
pub async fn save_first(
    pool: &PgPool,
    keyring: &Keyring,
    allow_private_base_url: bool,
    first: &FirstConfiguration,
) -> Result<Option<Uuid>, SaveError> {
    flasherp::guard::check_resolves(&first.base_url, allow_private_base_url).await?;
    let id = Uuid::new_v4();
    let mut transaction = pool.begin().await?;
    let Some(version) = insert(&mut transaction, id, keyring, first).await? else {
        transaction.rollback().await?;
        return Ok(None);
    };
    let changed = events::ConfigChanged {
        configuration_id: id,
        version,
        deleted: false,
        changed: first.fields(),
        request_id: None,
    };
    OUTBOX.insert(&mut transaction, &[OUTBOX.fact(changed)]).await?;
    audit(&mut transaction, id, first).await?;
    transaction.commit().await?;
    Ok(Some(id))
}

/// The version of the row, or `None` when there is a row or a tombstone already. Waits for another transaction that is inserting one.
async fn insert(
    connection: &mut PgConnection,
    id: Uuid,
    keyring: &Keyring,
    first: &FirstConfiguration,
) -> Result<Option<i64>, sqlx::Error> {
    let sealed = |column, secret: &SecretString| keyring.encrypt(&Place { table: TABLE, row: id, column }, secret);
    let webhook_secret = first.webhook_secret.as_ref().map(|secret| sealed("webhook_secret_enc", secret));
    sqlx::query_scalar(
        "INSERT INTO config.erp_configurations (id, base_url, api_key_enc, api_key_set_by, api_secret_enc, api_secret_set_by, \
             webhook_secret_enc, webhook_secret_set_at, webhook_secret_set_by, is_enabled, adopted_at, updated_by) \
         VALUES ($1, $2, $3, $7, $4, $7, \
             $5, CASE WHEN $5 IS NOT NULL THEN clock_timestamp() END, CASE WHEN $5 IS NOT NULL THEN $7 END, \
             $6, CASE WHEN $6 THEN clock_timestamp() END, $7) \
         ON CONFLICT (singleton) DO NOTHING RETURNING version",
    )
    .bind(id)
    .bind(first.base_url_text())
    .bind(sealed("api_key_enc", &first.api_key))
    .bind(sealed("api_secret_enc", &first.api_secret))
    .bind(webhook_secret)
    .bind(first.is_enabled)
    .bind(BY_ENVIRONMENT)
    .fetch_optional(connection)
    .await
}

async fn audit(connection: &mut PgConnection, id: Uuid, first: &FirstConfiguration) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO audit.erp_audit_logs (action, entity_type, entity_id, status, request_payload, performed_by, metadata) \
         VALUES ('config_updated', 'configuration', $1, 'success', $2, $3, $4)",
    )
    .bind(id.to_string())
    .bind(audited(first))
    .bind(BY_ENVIRONMENT)
    .bind(json!({"operation": "config.created_from_environment"}))
    .execute(connection)
    .await?;
    Ok(())
}

/// What was saved, without the secrets; which of them were set shows.
fn audited(first: &FirstConfiguration) -> Value {
    redact(&json!({
        "apiKey": true,
        "apiSecret": true,
        "webhookSecret": first.webhook_secret.as_ref().map(|_| true),
        "baseURL": first.base_url_text(),
        "isEnabled": first.is_enabled,
    }))
}
