//! What a caller wants changed: any subset of the fields.

use flasherp::guard;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use url::Url;
use utoipa::ToSchema;

use super::scope::ScopeChange;
use super::shown::ConflictPolicy;
use crate::input::{Fields, FromFields};

/// The longest interval: a year.
const LONGEST_INTERVAL: i64 = 31_536_000;

/// Any subset of the configuration. What is absent keeps its value; an empty text is not absent.
#[derive(Clone, Debug, Default, ToSchema)]
#[schema(as = ConfigurationChange, rename_all = "camelCase")]
pub struct Change {
    /// Needed when there is no configuration yet.
    #[schema(value_type = Option<String>, nullable = false, min_length = 1, max_length = 2000, pattern = "^[!-~]+$")]
    pub api_key: Option<SecretString>,
    /// Needed when there is no configuration yet.
    #[schema(value_type = Option<String>, nullable = false, min_length = 1, max_length = 2000, pattern = "^[!-~]+$")]
    pub api_secret: Option<SecretString>,
    /// https, and nothing inside our own network. The first configuration has FlashERP's own where it is absent.
    #[schema(rename = "baseURL", value_type = Option<String>, nullable = false, min_length = 1, max_length = 2000, format = "uri")]
    pub base_url: Option<Url>,
    /// The one that it replaces stays valid for 24 hours.
    #[schema(value_type = Option<String>, nullable = false, min_length = 1, max_length = 2000, pattern = "^[!-~]+$")]
    pub webhook_secret: Option<SecretString>,
    /// The master switch.
    #[schema(nullable = false)]
    pub is_enabled: Option<bool>,
    /// Seconds between two syncs of transactions.
    #[schema(nullable = false, minimum = 300, maximum = 31_536_000)]
    pub sync_interval: Option<i32>,
    /// Whether syncs go without being asked for by hand.
    #[schema(nullable = false)]
    pub enable_auto_sync: Option<bool>,
    /// Whether FlashERP's webhooks are taken.
    #[schema(nullable = false)]
    pub enable_webhooks: Option<bool>,
    /// Some of the switches.
    #[schema(nullable = false)]
    pub sync_scope: Option<ScopeChange>,
    /// Who wins when a field changed on both sides.
    #[schema(nullable = false)]
    pub conflict_policy: Option<ConflictPolicy>,
}

impl FromFields for Change {
    fn read(fields: &mut Fields) -> Self {
        Self {
            api_key: credential(fields, "apiKey"),
            api_secret: credential(fields, "apiSecret"),
            base_url: base_url(fields),
            webhook_secret: credential(fields, "webhookSecret"),
            is_enabled: fields.flag("isEnabled"),
            sync_interval: fields
                .integer("syncInterval", 300..=LONGEST_INTERVAL)
                .and_then(|seconds| i32::try_from(seconds).ok()),
            enable_auto_sync: fields.flag("enableAutoSync"),
            enable_webhooks: fields.flag("enableWebhooks"),
            sync_scope: fields.object("syncScope"),
            conflict_policy: fields.one_of("conflictPolicy", &ConflictPolicy::NAMES),
        }
    }
}

/// What can be sent in a header: key and secret are.
pub(crate) fn credential(fields: &mut Fields, name: &str) -> Option<SecretString> {
    let secret = fields.secret(name)?;
    if secret.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(secret);
    }
    fields.wrong(name, "must be of letters, digits and signs of ASCII, without spaces");
    None
}

/// A URL. Where it may lead is checked when it is saved, by then with its name resolved.
pub(crate) fn base_url(fields: &mut Fields) -> Option<Url> {
    let text = fields.text("baseURL")?;
    match Url::parse(&text) {
        Ok(url) => Some(url),
        Err(_) => {
            fields.wrong("baseURL", "must be a URL like https://api.flasherp.com/v1");
            None
        }
    }
}

/// Checks where a base URL leads, names resolved. What is wrong is told as of the field.
///
/// # Errors
/// The issue.
pub(crate) async fn check_base_url(url: &Url, allow_private: bool) -> Result<(), String> {
    let checked = tokio::time::timeout(super::save::RESOLVED_WITHIN, guard::check_resolves(url, allow_private));
    match checked.await {
        Ok(checked) => checked.map_err(|refused| refused.to_string()),
        Err(_) => Err(guard::UrlRefused::Unresolvable.to_string()),
    }
}

impl Change {
    /// As the audit trail has it: secrets only say that they were there.
    #[must_use]
    pub fn audited(&self) -> Value {
        let mut told = Map::new();
        let mut tell = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                told.insert(name.to_owned(), value);
            }
        };
        tell("apiKey", self.api_key.as_ref().map(|_| true.into()));
        tell("apiSecret", self.api_secret.as_ref().map(|_| true.into()));
        tell("webhookSecret", self.webhook_secret.as_ref().map(|_| true.into()));
        tell("baseURL", self.base_url.as_ref().map(|url| stored_text(url).into()));
        tell("isEnabled", self.is_enabled.map(Value::from));
        tell("syncInterval", self.sync_interval.map(Value::from));
        tell("enableAutoSync", self.enable_auto_sync.map(Value::from));
        tell("enableWebhooks", self.enable_webhooks.map(Value::from));
        tell("syncScope", self.sync_scope.map(|scope| json!(scope)));
        tell("conflictPolicy", self.conflict_policy.map(|policy| policy.as_str().into()));
        told.into()
    }
}

/// A base URL as the row has it: without the slash at its end, so that the same URL is always the same text.
pub(crate) fn stored_text(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}
