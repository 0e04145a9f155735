//! What a change makes of the row: the new values, and which of them are other than before. Pure.

use events::ConfigField;
use secrecy::{ExposeSecret as _, SecretString};
use secrets::Keyring;
use serde_json::{Map, Value, json};

use super::change::stored_text;
use super::{Change, ConflictPolicy, Row, SyncScope};

/// FlashERP's own.
pub(crate) const DEFAULT_BASE_URL: &str = "https://api.flasherp.com/v1";

/// The row after the change. A secret is there if it is to be written.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// There was none, or it had been deleted: nothing of the row is kept.
    pub(super) is_new: bool,
    pub(super) api_key: Option<SecretString>,
    pub(super) api_secret: Option<SecretString>,
    pub(super) webhook_secret: Option<SecretString>,
    /// The one that `webhook_secret` replaces.
    pub(super) replaced_webhook_secret: Option<SecretString>,
    pub(super) values: Values,
    /// What was other before; all that is set, for a new one.
    pub(super) changed: Vec<ConfigField>,
    /// Whether what FlashERP holds is not known any more, so that records are looked up before they are made.
    pub(super) adopts: bool,
}

/// What is no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Values {
    pub(super) base_url: String,
    pub(super) is_enabled: bool,
    pub(super) sync_interval: i32,
    pub(super) enable_auto_sync: bool,
    pub(super) enable_webhooks: bool,
    pub(super) sync_scope: SyncScope,
    pub(super) conflict_policy: ConflictPolicy,
}

impl Values {
    pub(super) fn of(row: &Row) -> Self {
        Self {
            base_url: row.base_url.clone(),
            is_enabled: row.is_enabled,
            sync_interval: row.sync_interval_secs,
            enable_auto_sync: row.enable_auto_sync,
            enable_webhooks: row.enable_webhooks,
            sync_scope: row.sync_scope.0,
            conflict_policy: ConflictPolicy::of(&row.conflict_policy),
        }
    }

    /// A new configuration's, before anything is said: off, so that nothing is sent before somebody wants it.
    fn new(base_url: &str) -> Self {
        Self {
            base_url: base_url.to_owned(),
            is_enabled: false,
            sync_interval: 3600,
            enable_auto_sync: true,
            enable_webhooks: true,
            sync_scope: SyncScope::default(),
            conflict_policy: ConflictPolicy::NewestWins,
        }
    }

    fn changed_by(&self, change: &Change) -> Self {
        Self {
            base_url: change.base_url.as_ref().map_or_else(|| self.base_url.clone(), |url| stored_text(url).to_owned()),
            is_enabled: change.is_enabled.unwrap_or(self.is_enabled),
            sync_interval: change.sync_interval.unwrap_or(self.sync_interval),
            enable_auto_sync: change.enable_auto_sync.unwrap_or(self.enable_auto_sync),
            enable_webhooks: change.enable_webhooks.unwrap_or(self.enable_webhooks),
            sync_scope: change.sync_scope.map_or(self.sync_scope, |scope| scope.applied_to(self.sync_scope)),
            conflict_policy: change.conflict_policy.unwrap_or(self.conflict_policy),
        }
    }

    /// The fields with their values as JSON, in the order of the contract.
    fn fields(&self) -> [(ConfigField, &'static str, Value); 7] {
        [
            (ConfigField::BaseUrl, "baseURL", json!(self.base_url)),
            (ConfigField::IsEnabled, "isEnabled", json!(self.is_enabled)),
            (ConfigField::SyncInterval, "syncInterval", json!(self.sync_interval)),
            (ConfigField::EnableAutoSync, "enableAutoSync", json!(self.enable_auto_sync)),
            (ConfigField::EnableWebhooks, "enableWebhooks", json!(self.enable_webhooks)),
            (ConfigField::SyncScope, "syncScope", json!(self.sync_scope)),
            (ConfigField::ConflictPolicy, "conflictPolicy", json!(self.conflict_policy.as_str())),
        ]
    }

    /// All of them, for the audit trail.
    pub(super) fn all(&self) -> Map<String, Value> {
        self.fields().into_iter().map(|(_, name, value)| (name.to_owned(), value)).collect()
    }

    /// Those of `fields`, for the audit trail.
    pub(super) fn told(&self, fields: &[ConfigField]) -> Map<String, Value> {
        let told = self.fields().into_iter().filter(|(field, ..)| fields.contains(field));
        told.map(|(_, name, value)| (name.to_owned(), value)).collect()
    }
}

impl Plan {
    /// What `change` makes of `row`. `default_base_url` is for a new configuration that names none.
    pub(super) fn of(row: &Row, change: &Change, keyring: &Keyring, default_base_url: &str) -> Self {
        let is_new = row.is_deleted();
        let before = if is_new { Values::new(default_base_url) } else { Values::of(row) };
        let values = before.changed_by(change);
        let api_key = newer(change.api_key.as_ref(), row.api_key(keyring));
        let api_secret = newer(change.api_secret.as_ref(), row.api_secret(keyring));
        let webhook_secret_before = row.webhook_secret(keyring);
        let webhook_secret = newer(change.webhook_secret.as_ref(), webhook_secret_before.clone());
        let mut changed: Vec<_> = [
            (ConfigField::ApiKey, api_key.is_some()),
            (ConfigField::ApiSecret, api_secret.is_some()),
            (ConfigField::WebhookSecret, webhook_secret.is_some()),
        ]
        .into_iter()
        .filter(|(_, is_changed)| *is_changed)
        .map(|(field, _)| field)
        .collect();
        let pairs = before.fields().into_iter().zip(values.fields());
        changed.extend(pairs.filter(|((_, _, old), (_, _, new))| is_new || old != new).map(|((field, ..), _)| field));
        let is_another_flasherp =
            [ConfigField::BaseUrl, ConfigField::ApiKey].iter().any(|field| changed.contains(field));
        let is_adopted = row.adopted_at.is_some() && !is_new;
        let adopts = if is_adopted { is_another_flasherp } else { values.is_enabled };
        let replaced_webhook_secret = webhook_secret.as_ref().and(webhook_secret_before);
        Self { is_new, api_key, api_secret, webhook_secret, replaced_webhook_secret, values, changed, adopts }
    }

    /// Before and after, secrets only by name.
    pub(super) fn audited(&self, row: &Row) -> Value {
        let secrets = [ConfigField::ApiKey, ConfigField::ApiSecret, ConfigField::WebhookSecret];
        let mut after = self.values.told(&self.changed);
        after.extend(
            self.changed.iter().filter(|field| secrets.contains(field)).map(|field| (name(*field), json!("set"))),
        );
        let before = (!self.is_new).then(|| Values::of(row).told(&self.changed));
        json!({ "before": before, "after": after })
    }
}

/// A field's name in the API.
pub(super) fn name(field: ConfigField) -> String {
    match serde_json::to_value(field) {
        Ok(Value::String(name)) => name,
        _ => String::new(),
    }
}

/// The secret that is asked for, unless it is the one that is there.
fn newer(asked: Option<&SecretString>, there: Option<SecretString>) -> Option<SecretString> {
    let asked = asked?;
    let is_same = there.is_some_and(|there| there.expose_secret() == asked.expose_secret());
    (!is_same).then(|| asked.clone())
}
