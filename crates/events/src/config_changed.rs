//! `config.changed`: the configuration has a new version.
//!
//! It only hurries: every service reads the version each second anyway. Names what changed, never the values, since some
//! are secrets.

use domain::RequestId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{EventType, Fact};

/// A part of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ConfigField {
    /// The API key.
    ApiKey,
    /// The API secret.
    ApiSecret,
    /// The base URL.
    #[serde(rename = "baseURL")]
    BaseUrl,
    /// The secret that FlashERP signs webhooks with.
    WebhookSecret,
    /// The master switch.
    IsEnabled,
    /// The seconds between two syncs of transactions.
    SyncInterval,
    /// Whether syncs go without being asked for by hand.
    EnableAutoSync,
    /// Whether FlashERP's webhooks are taken.
    EnableWebhooks,
    /// Which entity types are kept in step.
    SyncScope,
    /// Who wins when a field changed on both sides.
    ConflictPolicy,
    /// Free notes.
    Metadata,
}

/// The configuration row has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigChanged {
    /// The row.
    pub configuration_id: Uuid,
    /// Its version now; a reader that has this one or a newer has nothing to do.
    pub version: i64,
    /// Whether it was deleted, which stops all work.
    pub deleted: bool,
    /// What changed; everything that is set, where the row is new.
    pub changed: Vec<ConfigField>,
    /// The id of the request that changed it; absent where the environment did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Uuid>")]
    pub request_id: Option<RequestId>,
}

impl EventType for ConfigChanged {
    const TYPE: &'static str = "upcoach.erp.config.changed.v1";
    const SUBJECTS: &'static str = "config.changed";
    const SUMMARY: &'static str = "The configuration has a new version; names what changed, never the values.";

    fn subject(&self) -> String {
        Self::SUBJECTS.to_owned()
    }

    fn about(&self) -> Option<String> {
        Some(format!("configuration/{}", self.configuration_id))
    }

    fn examples() -> Vec<Self> {
        vec![
            Self {
                configuration_id: Uuid::from_u128(1),
                version: 2,
                deleted: false,
                changed: vec![ConfigField::BaseUrl, ConfigField::SyncScope],
                request_id: Some(RequestId(Uuid::from_u128(2))),
            },
            Self {
                configuration_id: Uuid::from_u128(1),
                version: 3,
                deleted: true,
                changed: Vec::new(),
                request_id: None,
            },
        ]
    }
}

impl Fact for ConfigChanged {}
