//! The configuration row as callers of FlashERP need it, and its secrets opened.

use domain::EntityType;
use flasherp::Options;
use secrecy::SecretString;
use secrets::{DecryptError, Keyring, Place};
use sqlx::PgPool;
use sqlx::types::Json;
use time::OffsetDateTime;
use url::Url;
use uuid::Uuid;

use crate::Scope;

/// The table that the ciphertexts are bound to.
const TABLE: &str = "config.erp_configurations";

/// The row as it is stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredConfiguration {
    id: Uuid,
    base_url: String,
    api_key_enc: Vec<u8>,
    api_secret_enc: Vec<u8>,
    sync_scope: Json<Scope>,
    adopted_at: Option<OffsetDateTime>,
    is_enabled: bool,
    version: i64,
}

/// Whose view of the row is read: each role sees its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// `config.for_sync_worker`
    SyncWorker,
    /// `config.for_scheduler`
    Scheduler,
    /// `config.for_reconciler`
    Reconciler,
    /// `config.erp_configurations` itself, without a tombstone: its owner's
    ConfigApi,
}

/// Why a stored configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// A ciphertext of another keyring, or of another place.
    #[error("{column} of the configuration can't be decrypted; is ERP_ENCRYPTION_KEYS what it was encrypted with?")]
    Secret {
        /// Which.
        column: &'static str,
        /// Why.
        source: DecryptError,
    },
    /// The base URL is none.
    #[error("the configured base URL is not a URL")]
    BaseUrl(#[from] url::ParseError),
}

impl StoredConfiguration {
    /// Reads the row; none when there is no configuration.
    ///
    /// # Errors
    /// The database.
    pub async fn load(pool: &PgPool) -> Result<Option<Self>, sqlx::Error> {
        Self::load_as(pool, View::SyncWorker).await
    }

    /// The same in another view.
    ///
    /// # Errors
    /// The database.
    pub async fn load_as(pool: &PgPool, view: View) -> Result<Option<Self>, sqlx::Error> {
        let statement = match view {
            View::SyncWorker => {
                "SELECT id, base_url, api_key_enc, api_secret_enc, sync_scope, adopted_at, is_enabled, version
                 FROM config.for_sync_worker"
            }
            View::Scheduler => {
                "SELECT id, base_url, api_key_enc, api_secret_enc, sync_scope, adopted_at, is_enabled, version
                 FROM config.for_scheduler"
            }
            View::Reconciler => {
                "SELECT id, base_url, api_key_enc, api_secret_enc, sync_scope, adopted_at, is_enabled, version
                 FROM config.for_reconciler"
            }
            View::ConfigApi => {
                "SELECT id, base_url, api_key_enc, api_secret_enc, sync_scope, adopted_at, is_enabled, version
                 FROM config.erp_configurations WHERE deleted_at IS NULL"
            }
        };
        sqlx::query_as(statement).fetch_optional(pool).await
    }

    /// Whether the integration is switched on.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.is_enabled
    }

    /// As it is configured.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Raised by every change.
    #[must_use]
    pub const fn version(&self) -> i64 {
        self.version
    }

    /// Which types are kept in step.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        self.sync_scope.0
    }

    /// Whether records of this type are sent for their own sake.
    #[must_use]
    pub const fn holds(&self, kind: EntityType) -> bool {
        self.sync_scope.0.holds(kind)
    }

    /// What was born before this may be in FlashERP already.
    #[must_use]
    pub const fn adopted_at(&self) -> Option<OffsetDateTime> {
        self.adopted_at
    }

    /// How FlashERP is called, by the client's defaults.
    ///
    /// # Errors
    /// [`ConfigurationError`].
    pub fn options(&self, keyring: &Keyring) -> Result<Options, ConfigurationError> {
        let open = |column, ciphertext: &[u8]| -> Result<SecretString, ConfigurationError> {
            keyring
                .decrypt(&Place { table: TABLE, row: self.id, column }, ciphertext)
                .map_err(|source| ConfigurationError::Secret { column, source })
        };
        Ok(Options::new(
            Url::parse(&self.base_url)?,
            open("api_key_enc", &self.api_key_enc)?,
            open("api_secret_enc", &self.api_secret_enc)?,
        ))
    }
}
