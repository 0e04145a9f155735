//! What the configuration says of FlashERP's webhooks: whether they are taken, and the secrets that they may be signed with.
//!
//! Secrets, the newest first: the configuration's, the one that it replaced until its time is over, then those of the environment. The row is
//! read every second; while the database is away the last one read stays in force, since a delivery could not be stored then anyway.

use std::sync::Arc;

use anyhow::Context as _;
use domain::ErrorCode;
use secrecy::{ExposeSecret as _, SecretString};
use secrets::{Keyring, Place};
use service::config_watch::{Versioned, Watched};
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::watch;
use uuid::Uuid;
use webhooks::signature::Keys;

use crate::endpoint::{Closed, Opened, Secret};

/// The table that the ciphertexts are bound to.
const TABLE: &str = "config.erp_configurations";

/// The endpoint's switch and secrets.
#[derive(Debug)]
pub(crate) struct Flasherp {
    watched: watch::Receiver<Watched<FlasherpConfig>>,
    /// `FLASHERP_ENABLED=false`.
    disabled_by_environment: bool,
}

/// What the row says, opened.
#[derive(Debug)]
pub(crate) struct FlasherpConfig {
    version: i64,
    enabled: bool,
    webhooks: bool,
    /// While the replaced secret is valid.
    both: Arc<Opened>,
    /// After that.
    current: Arc<Opened>,
    previous_until: Option<OffsetDateTime>,
}

impl Versioned for FlasherpConfig {
    fn version(&self) -> i64 {
        self.version
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    is_enabled: bool,
    enable_webhooks: bool,
    webhook_secret_enc: Option<Vec<u8>>,
    previous_webhook_secret_enc: Option<Vec<u8>>,
    previous_webhook_secret_until: Option<OffsetDateTime>,
    version: i64,
}

impl FlasherpConfig {
    /// Reads the configuration; none when there is none. A secret that can't be decrypted is left out and told of: the others still hold.
    ///
    /// # Errors
    /// The database can't be read.
    pub(crate) async fn load(
        pool: &PgPool,
        keyring: &Keyring,
        environment: &[SecretString],
    ) -> anyhow::Result<Option<Self>> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT id, is_enabled, enable_webhooks, webhook_secret_enc, previous_webhook_secret_enc,
                previous_webhook_secret_until, version
             FROM config.for_ingress",
        )
        .fetch_optional(pool)
        .await
        .context("reading the configuration")?;
        let Some(row) = row else { return Ok(None) };
        let open = |column, ciphertext: Option<&Vec<u8>>| {
            let opened = keyring.decrypt(&Place { table: TABLE, row: row.id, column }, ciphertext?);
            match opened {
                Ok(secret) => Some(secret),
                Err(error) => {
                    tracing::error!(
                        column,
                        error = error.to_string(),
                        "a webhook secret can't be decrypted; it is left out"
                    );
                    None
                }
            }
        };
        let current =
            open("webhook_secret_enc", row.webhook_secret_enc.as_ref()).map(|secret| (Secret::Current, secret));
        let previous = open("previous_webhook_secret_enc", row.previous_webhook_secret_enc.as_ref())
            .map(|secret| (Secret::Previous, secret));
        let environment = environment.iter().map(|secret| (Secret::Environment, secret.clone()));
        let after: Vec<_> = current.clone().into_iter().chain(environment.clone()).collect();
        let both: Vec<_> = current.into_iter().chain(previous).chain(environment).collect();
        Ok(Some(Self {
            version: row.version,
            enabled: row.is_enabled,
            webhooks: row.enable_webhooks,
            both: Arc::new(opened(&both)),
            current: Arc::new(opened(&after)),
            previous_until: row.previous_webhook_secret_until,
        }))
    }
}

fn opened(secrets: &[(Secret, SecretString)]) -> Opened {
    let set = || secrets.iter().filter(|(_, secret)| !secret.expose_secret().is_empty());
    Opened::new(
        Keys::new(set().map(|(_, secret)| secret.expose_secret().as_bytes())),
        set().map(|(kind, _)| *kind).collect(),
    )
}

impl Flasherp {
    pub(crate) const fn new(watched: watch::Receiver<Watched<FlasherpConfig>>, disabled_by_environment: bool) -> Self {
        Self { watched, disabled_by_environment }
    }

    /// The secrets that are valid at `now`.
    ///
    /// # Errors
    /// Switched off, by whom; without a secret; or not known yet. The sender comes again.
    pub(crate) fn open(&self, now: OffsetDateTime) -> Result<Arc<Opened>, Closed> {
        if self.disabled_by_environment {
            return Err(DISABLED.by("environment"));
        }
        let watched = self.watched.borrow();
        let config = match &*watched {
            Watched::Unread => return Err(UNREAD),
            Watched::Absent => return Err(ABSENT),
            Watched::Present(config) => config,
        };
        if !config.enabled || !config.webhooks {
            return Err(DISABLED.by("configuration"));
        }
        let rotating = config.previous_until.is_some_and(|until| now < until);
        let opened = if rotating { &config.both } else { &config.current };
        if opened.keys().is_empty() { Err(NO_SECRET) } else { Ok(Arc::clone(opened)) }
    }
}

const DISABLED: Closed = Closed {
    code: ErrorCode::ConfigDisabled,
    message: "FlashERP's webhooks are switched off; send the event again later.",
    disabled_by: None,
};
const UNREAD: Closed = Closed {
    code: ErrorCode::ServiceUnavailable,
    message: "The configuration could not be read yet; send the event again.",
    disabled_by: None,
};
const ABSENT: Closed = Closed {
    code: ErrorCode::ConfigNotFound,
    message: "FlashERP is not configured; send the event again when it is.",
    disabled_by: None,
};
const NO_SECRET: Closed = Closed {
    code: ErrorCode::ConfigNotFound,
    message: "No secret is set for these webhooks, so none can be believed. Set the configuration's webhookSecret and send the event again.",
    disabled_by: None,
};
