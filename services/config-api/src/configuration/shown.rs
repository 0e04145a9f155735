//! The configuration as admins see it: secrets masked.

use secrets::{HIDDEN, Keyring, mask};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Row, SyncScope};
use crate::timestamp::Timestamp;

/// Who wins when a field changed on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConflictPolicy {
    NewestWins,
    UpcoachWins,
    FlasherpWins,
}

impl ConflictPolicy {
    pub(super) const NAMES: [(&'static str, Self); 3] =
        [("newest_wins", Self::NewestWins), ("upcoach_wins", Self::UpcoachWins), ("flasherp_wins", Self::FlasherpWins)];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::NewestWins => "newest_wins",
            Self::UpcoachWins => "upcoach_wins",
            Self::FlasherpWins => "flasherp_wins",
        }
    }

    /// Of a column of the enum type, which has no others.
    pub(super) fn of(stored: &str) -> Self {
        match stored {
            "upcoach_wins" => Self::UpcoachWins,
            "flasherp_wins" => Self::FlasherpWins,
            _ => Self::NewestWins,
        }
    }
}

/// How FlashERP was when it was last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    Healthy,
    Degraded,
    Down,
}

impl HealthStatus {
    /// Of a column of the enum type.
    #[must_use]
    pub fn of(stored: &str) -> Self {
        match stored {
            "healthy" => Self::Healthy,
            "degraded" => Self::Degraded,
            _ => Self::Down,
        }
    }
}

/// How the last full sync ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LastSyncStatus {
    Success,
    Partial,
    Failed,
}

impl LastSyncStatus {
    /// Of a column of the enum type.
    #[must_use]
    pub fn of(stored: &str) -> Self {
        match stored {
            "success" => Self::Success,
            "partial" => Self::Partial,
            _ => Self::Failed,
        }
    }
}

/// What has switched the integration off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisabledBy {
    /// `FLASHERP_ENABLED=false`, whatever the configuration says.
    Environment,
    /// `isEnabled`.
    Configuration,
}

impl DisabledBy {
    /// What has; none when it is on.
    #[must_use]
    pub fn of(is_enabled: bool, enabled_by_environment: Option<bool>) -> Option<Self> {
        match (enabled_by_environment, is_enabled) {
            (Some(false), _) => Some(Self::Environment),
            (_, false) => Some(Self::Configuration),
            (_, true) => None,
        }
    }

    /// Its name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Configuration => "configuration",
        }
    }
}

/// The configuration, without its secrets.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Configuration {
    pub id: Uuid,
    #[schema(required)]
    pub organization_id: Option<Uuid>,
    #[serde(rename = "baseURL")]
    pub base_url: String,
    pub is_enabled: bool,
    /// What switches the integration off; null when it is on.
    #[schema(required)]
    pub disabled_by: Option<DisabledBy>,
    /// Seconds.
    pub sync_interval: i32,
    pub enable_auto_sync: bool,
    pub enable_webhooks: bool,
    pub sync_scope: SyncScope,
    pub conflict_policy: ConflictPolicy,
    #[schema(required)]
    pub last_full_sync: Option<Timestamp>,
    #[schema(required)]
    pub last_sync_status: Option<LastSyncStatus>,
    #[schema(required)]
    pub health_status: Option<HealthStatus>,
    #[schema(required)]
    pub health_check_at: Option<Timestamp>,
    #[schema(value_type = Object)]
    pub metadata: serde_json::Value,
    /// The first 4 characters, `...`, the last 4; `****` for 8 characters or fewer.
    pub api_key_masked: String,
    pub api_key_set_at: Timestamp,
    #[schema(required)]
    pub api_key_set_by: Option<String>,
    pub api_secret_masked: String,
    pub api_secret_set_at: Timestamp,
    #[schema(required)]
    pub api_secret_set_by: Option<String>,
    #[schema(required)]
    pub webhook_secret_masked: Option<String>,
    #[schema(required)]
    pub webhook_secret_set_at: Option<Timestamp>,
    #[schema(required)]
    pub webhook_secret_set_by: Option<String>,
    /// To the minute.
    #[schema(required)]
    pub webhook_secret_last_used_at: Option<Timestamp>,
    /// Until then the secret before the current one is accepted too; null when there is none.
    #[schema(required)]
    pub previous_webhook_secret_valid_until: Option<Timestamp>,
    #[schema(required)]
    pub previous_webhook_secret_last_used_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    #[schema(required)]
    pub updated_by: Option<String>,
}

impl Configuration {
    /// As admins see `row`. `enabled_by_environment` is `FLASHERP_ENABLED`.
    #[must_use]
    pub fn of(row: &Row, keyring: &Keyring, enabled_by_environment: Option<bool>) -> Self {
        // One that can't be decrypted shows nothing.
        let api_key_masked = row.api_key(keyring).as_ref().map_or_else(|| "****".to_owned(), mask);
        Self {
            id: row.id,
            organization_id: row.organization_id,
            base_url: row.base_url.clone(),
            is_enabled: row.is_enabled,
            disabled_by: DisabledBy::of(row.is_enabled, enabled_by_environment),
            sync_interval: row.sync_interval_secs,
            enable_auto_sync: row.enable_auto_sync,
            enable_webhooks: row.enable_webhooks,
            sync_scope: row.sync_scope.0,
            conflict_policy: ConflictPolicy::of(&row.conflict_policy),
            last_full_sync: row.last_full_sync.map(Timestamp),
            last_sync_status: row.last_sync_status.as_deref().map(LastSyncStatus::of),
            health_status: row.health_status.as_deref().map(HealthStatus::of),
            health_check_at: row.health_check_at.map(Timestamp),
            metadata: row.metadata.clone(),
            api_key_masked,
            api_key_set_at: row.api_key_set_at.into(),
            api_key_set_by: row.api_key_set_by.clone(),
            api_secret_masked: HIDDEN.to_owned(),
            api_secret_set_at: row.api_secret_set_at.into(),
            api_secret_set_by: row.api_secret_set_by.clone(),
            webhook_secret_masked: row.webhook_secret_enc.as_ref().map(|_| HIDDEN.to_owned()),
            webhook_secret_set_at: row.webhook_secret_set_at.map(Timestamp),
            webhook_secret_set_by: row.webhook_secret_set_by.clone(),
            webhook_secret_last_used_at: row.webhook_secret_last_used_at.map(Timestamp),
            previous_webhook_secret_valid_until: row.previous_webhook_secret_until.map(Timestamp),
            previous_webhook_secret_last_used_at: row.previous_webhook_secret_last_used_at.map(Timestamp),
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
            updated_by: row.updated_by.clone(),
        }
    }
}
