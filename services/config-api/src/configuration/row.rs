//! The row as it is stored, and its secrets opened.

use secrecy::SecretString;
use secrets::{Keyring, Place};
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use super::SyncScope;
use crate::store::TABLE;

/// The row; a tombstone when `deleted_at` is set.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Row {
    pub(super) id: Uuid,
    pub(super) organization_id: Option<Uuid>,
    pub(super) base_url: String,
    pub(super) api_key_enc: Vec<u8>,
    pub(super) api_key_set_at: OffsetDateTime,
    pub(super) api_key_set_by: Option<String>,
    pub(super) api_secret_enc: Vec<u8>,
    pub(super) api_secret_set_at: OffsetDateTime,
    pub(super) api_secret_set_by: Option<String>,
    pub(super) webhook_secret_enc: Option<Vec<u8>>,
    pub(super) webhook_secret_set_at: Option<OffsetDateTime>,
    pub(super) webhook_secret_set_by: Option<String>,
    pub(super) webhook_secret_last_used_at: Option<OffsetDateTime>,
    pub(super) previous_webhook_secret_until: Option<OffsetDateTime>,
    pub(super) previous_webhook_secret_last_used_at: Option<OffsetDateTime>,
    pub(super) is_enabled: bool,
    pub(super) sync_interval_secs: i32,
    pub(super) enable_auto_sync: bool,
    pub(super) enable_webhooks: bool,
    pub(super) sync_scope: Json<SyncScope>,
    pub(super) conflict_policy: String,
    pub(super) last_full_sync: Option<OffsetDateTime>,
    pub(super) last_sync_status: Option<String>,
    pub(super) health_status: Option<String>,
    pub(super) health_check_at: Option<OffsetDateTime>,
    pub(super) adopted_at: Option<OffsetDateTime>,
    pub(super) metadata: serde_json::Value,
    pub(super) version: i64,
    pub(super) deleted_at: Option<OffsetDateTime>,
    pub(super) created_at: OffsetDateTime,
    pub(super) updated_at: OffsetDateTime,
    pub(super) updated_by: Option<String>,
}

const SELECT: &str = "SELECT id, organization_id, base_url, api_key_enc, api_key_set_at, api_key_set_by, api_secret_enc, \
    api_secret_set_at, api_secret_set_by, webhook_secret_enc, webhook_secret_set_at, webhook_secret_set_by, \
    webhook_secret_last_used_at, \
    CASE WHEN previous_webhook_secret_until > clock_timestamp() THEN previous_webhook_secret_until END \
        AS previous_webhook_secret_until, \
    CASE WHEN previous_webhook_secret_until > clock_timestamp() THEN previous_webhook_secret_last_used_at END \
        AS previous_webhook_secret_last_used_at, \
    is_enabled, sync_interval_secs, enable_auto_sync, enable_webhooks, sync_scope, conflict_policy::text, last_full_sync, \
    last_sync_status::text, health_status::text, health_check_at, adopted_at, metadata, version, deleted_at, created_at, \
    updated_at, updated_by FROM config.erp_configurations";

impl Row {
    /// The configuration; none when there never was one or it was deleted.
    ///
    /// # Errors
    /// The database.
    pub async fn load(pool: &PgPool) -> Result<Option<Self>, sqlx::Error> {
        let statement = sqlx::AssertSqlSafe(format!("{SELECT} WHERE deleted_at IS NULL"));
        sqlx::query_as(statement).fetch_optional(pool).await
    }

    /// The row, be it a tombstone, locked until the transaction ends.
    pub(super) async fn lock(connection: &mut PgConnection) -> Result<Option<Self>, sqlx::Error> {
        let statement = sqlx::AssertSqlSafe(format!("{SELECT} FOR UPDATE"));
        sqlx::query_as(statement).fetch_optional(connection).await
    }

    /// Locks the row, after making a tombstone where there never was a configuration: so the first configuration and one after a
    /// deletion are made alike. Nobody sees the tombstone before the transaction ends.
    pub(super) async fn lock_or_make(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        if let Some(row) = Self::lock(connection).await? {
            return Ok(row);
        }
        sqlx::query(
            "INSERT INTO config.erp_configurations (base_url, api_key_enc, api_secret_enc, deleted_at) \
             VALUES ('-', '', '', clock_timestamp()) ON CONFLICT (singleton) DO NOTHING",
        )
        .execute(&mut *connection)
        .await?;
        let statement = sqlx::AssertSqlSafe(format!("{SELECT} FOR UPDATE"));
        sqlx::query_as(statement).fetch_one(connection).await
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }

    /// The row's id.
    #[must_use]
    pub const fn id(&self) -> Uuid {
        self.id
    }

    /// Raised by every change.
    #[must_use]
    pub const fn version(&self) -> i64 {
        self.version
    }

    /// The master switch.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.is_enabled
    }

    /// As it is stored.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The API key; none when it can't be decrypted, which the log says.
    #[must_use]
    pub fn api_key(&self, keyring: &Keyring) -> Option<SecretString> {
        self.opened(keyring, "api_key_enc", &self.api_key_enc)
    }

    /// The API secret.
    #[must_use]
    pub fn api_secret(&self, keyring: &Keyring) -> Option<SecretString> {
        self.opened(keyring, "api_secret_enc", &self.api_secret_enc)
    }

    /// The current webhook secret; none also when there is none.
    #[must_use]
    pub fn webhook_secret(&self, keyring: &Keyring) -> Option<SecretString> {
        self.opened(keyring, "webhook_secret_enc", self.webhook_secret_enc.as_deref()?)
    }

    fn opened(&self, keyring: &Keyring, column: &'static str, ciphertext: &[u8]) -> Option<SecretString> {
        if self.is_deleted() {
            return None;
        }
        match keyring.decrypt(&Place { table: TABLE, row: self.id, column }, ciphertext) {
            Ok(secret) => Some(secret),
            Err(error) => {
                // An admin can still look, and save the secret anew.
                tracing::error!(column, error = error.to_string(), "a secret of the configuration can't be decrypted");
                None
            }
        }
    }
}
