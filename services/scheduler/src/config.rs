//! What the scheduler is told by its environment.

use std::time::Duration;

use lettre::message::Mailbox;
use secrecy::ExposeSecret as _;
use service::settings::{self, Env, Setting};
use syncs::target::Access;

use crate::alerts::deliver::Channels;
use crate::alerts::email::Email;
use crate::alerts::slack::Slack;

/// Settings of the scheduler beyond those that every service has.
#[derive(Debug)]
pub struct Config {
    /// How FlashERP is called.
    pub flasherp: Access,
    /// Stripe's API, if there is a key.
    pub stripe: Option<stripe::Client>,
    /// How missed events are looked for.
    pub pull: PullSettings,
    /// `JOB_LEASE_SECS`.
    pub lease: Duration,
    /// How long what is kept.
    pub retention: RetentionSettings,
    /// `HEALTH_SLOW_MS`.
    pub health_slow: Duration,
    /// `FLASHERP_SETTLE_SECS`.
    pub settle: Duration,
    /// How alerts are sent.
    pub alerts: AlertSettings,
}

/// How long what is kept.
#[derive(Debug, Clone, Copy)]
pub struct RetentionSettings {
    /// `WEBHOOK_BODY_RETENTION_DAYS`; none: bodies are kept.
    pub bodies: Option<time::Duration>,
    /// `WEBHOOK_EVENT_RETENTION_DAYS`.
    pub events: time::Duration,
    /// `HISTORY_RETENTION_DAYS`.
    pub history: time::Duration,
}

/// How alerts are sent.
#[derive(Debug)]
pub struct AlertSettings {
    /// `ALERT_RETRY_QUEUE`.
    pub retry_queue: i64,
    pub(crate) channels: Channels,
}

impl AlertSettings {
    fn read(env: &mut Env) -> Self {
        let mut channels = Channels::default();
        if let Some(url) = env.opt_secret(&settings::SLACK_WEBHOOK_URL) {
            match Slack::new(url) {
                Ok(slack) => channels.slack = Some(slack),
                Err(error) => env.mistake(&settings::SLACK_WEBHOOK_URL, error.to_string()),
            }
        }
        channels.email = email(env);
        let retry_queue = i64::from(env.u32(&settings::ALERT_RETRY_QUEUE));
        Self { retry_queue, channels }
    }
}

/// The mail server and the addresses, if alerts go by mail.
fn email(env: &mut Env) -> Option<Email> {
    let address = |env: &mut Env, setting: &Setting, text: &str| match text.parse::<Mailbox>() {
        Ok(address) => Some(address),
        Err(_) => {
            env.mistake(setting, format!("{text} is no mail address"));
            None
        }
    };
    let from = env.text(&settings::ALERT_EMAIL_FROM);
    let from = address(env, &settings::ALERT_EMAIL_FROM, &from);
    let mut to = Vec::new();
    for text in env.list(&settings::ALERT_EMAIL_TO) {
        to.extend(address(env, &settings::ALERT_EMAIL_TO, &text));
    }
    let url = env.opt_secret(&settings::SMTP_URL)?;
    if to.is_empty() {
        env.mistake(&settings::ALERT_EMAIL_TO, "is needed with SMTP_URL");
    }
    match Email::new(url.expose_secret(), from?, to) {
        Ok(email) => Some(email),
        Err(problem) => {
            env.mistake(&settings::SMTP_URL, problem);
            None
        }
    }
}

/// How missed events are looked for.
#[derive(Debug, Clone, Copy)]
pub struct PullSettings {
    /// `MISSED_EVENTS_OVERLAP_SECS`.
    pub overlap: time::Duration,
    /// `MISSED_EVENTS_GRACE_SECS`.
    pub grace: time::Duration,
}

impl Config {
    /// Reads them; mistakes are collected in `env`.
    pub fn read(env: &mut Env) -> Self {
        let days = |env: &mut Env, setting| time::Duration::days(i64::from(env.u32(setting)));
        let bodies = days(env, &settings::WEBHOOK_BODY_RETENTION_DAYS);
        let retention = RetentionSettings {
            bodies: (bodies > time::Duration::ZERO).then_some(bodies),
            events: days(env, &settings::WEBHOOK_EVENT_RETENTION_DAYS),
            history: days(env, &settings::HISTORY_RETENTION_DAYS),
        };
        Self {
            flasherp: Access::read(env),
            stripe: stripe::from_env(env),
            pull: PullSettings {
                overlap: seconds(env.duration(&settings::MISSED_EVENTS_OVERLAP_SECS)),
                grace: seconds(env.duration(&settings::MISSED_EVENTS_GRACE_SECS)),
            },
            lease: env.duration(&settings::JOB_LEASE_SECS),
            retention,
            health_slow: env.duration(&settings::HEALTH_SLOW_MS),
            settle: env.duration(&settings::FLASHERP_SETTLE_SECS),
            alerts: AlertSettings::read(env),
        }
    }
}

/// The settings' bounds keep it far from what a signed number of seconds can't hold.
fn seconds(duration: Duration) -> time::Duration {
    time::Duration::seconds(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX))
}
