//! How far a connection came, told from how its one call ended. Pure.

use std::time::Duration;

use domain::ErrorCode;
use flasherp::{CallError, Health};
use serde::Serialize;
use utoipa::ToSchema;

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum StepName {
    /// The name resolves to addresses that may be called, and something listens there.
    Address,
    /// TLS with a certificate that holds.
    Tls,
    /// What answers is FlashERP.
    Answer,
    /// Key and secret are let in.
    Credentials,
    /// What FlashERP can do.
    Capabilities,
    /// How fast it was.
    Latency,
}

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum StepStatus {
    Passed,
    /// It works, with a drawback.
    Warning,
    Failed,
    /// Not come to, or there is nothing to try.
    Skipped,
}

/// A step and how it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Step {
    pub name: StepName,
    pub status: StepStatus,
    pub message: String,
}

const ALL: [StepName; 6] = [
    StepName::Address,
    StepName::Tls,
    StepName::Answer,
    StepName::Credentials,
    StepName::Capabilities,
    StepName::Latency,
];

/// None was come to.
pub(super) fn none() -> Vec<Step> {
    ALL.into_iter().map(|name| step(name, StepStatus::Skipped, "not tried")).collect()
}

/// The base URL may not be called.
pub(super) fn address_refused(issue: String) -> Vec<Step> {
    failed_at(StepName::Address, issue, true)
}

/// The steps of a call that failed, and the same in words.
pub(super) fn failed(error: &CallError, is_https: bool) -> (Vec<Step>, String) {
    let (at, message) = place(error);
    (failed_at(at, message.clone(), is_https), message)
}

fn place(error: &CallError) -> (StepName, String) {
    if let Some(tls) = error.tls_failure() {
        return (StepName::Tls, format!("no TLS connection: {tls}"));
    }
    if !error.sent {
        return (StepName::Address, error.message.clone());
    }
    if error.locks_us_out() {
        let message = format!("FlashERP does not let us in: {}. Check key and secret", error.message);
        return (StepName::Credentials, message);
    }
    let message = match error.http_status {
        Some(status @ 300..=399) => {
            format!("what answers there redirects ({status}), which is not followed; write where it leads as base URL")
        }
        Some(404) => "what answers there knows no /health; does the base URL end in the API's version?".to_owned(),
        _ if error.code == ErrorCode::Timeout => error.message.clone(),
        Some(status) => format!("{} (HTTP {status})", error.message),
        None => error.message.clone(),
    };
    (StepName::Answer, message)
}

/// All before `at` passed; nothing behind it was tried.
fn failed_at(at: StepName, message: String, is_https: bool) -> Vec<Step> {
    let mut is_behind = false;
    ALL.into_iter()
        .map(|name| {
            if name == at {
                is_behind = true;
                step(name, StepStatus::Failed, &message)
            } else if is_behind {
                step(name, StepStatus::Skipped, "not tried")
            } else {
                came_through(name, is_https)
            }
        })
        .collect()
}

fn came_through(name: StepName, is_https: bool) -> Step {
    match name {
        StepName::Tls if !is_https => step(name, StepStatus::Skipped, "the base URL is http"),
        StepName::Address => step(name, StepStatus::Passed, "something listens there"),
        StepName::Tls => step(name, StepStatus::Passed, "the certificate holds"),
        StepName::Answer => step(name, StepStatus::Passed, "FlashERP answers"),
        StepName::Credentials => step(name, StepStatus::Passed, "key and secret are let in"),
        StepName::Capabilities | StepName::Latency => step(name, StepStatus::Passed, ""),
    }
}

/// All steps of a call that went well.
pub(super) fn passed(health: &Health, latency: Duration, is_slow: bool, is_https: bool) -> Vec<Step> {
    let can = [
        ("idempotency keys", health.capabilities.idempotency_key),
        ("updatedSince", health.capabilities.updated_since),
        ("counting", health.capabilities.count),
    ];
    let missing: Vec<_> = can.iter().filter(|(_, is_there)| !is_there).map(|(name, _)| *name).collect();
    let capabilities = if missing.is_empty() {
        step(StepName::Capabilities, StepStatus::Passed, "idempotency keys, updatedSince, counting")
    } else {
        let message = format!("without {}: it works, and takes longer to settle or compare", missing.join(", "));
        step(StepName::Capabilities, StepStatus::Warning, &message)
    };
    let speed = format!("{} ms", latency.as_millis());
    let speed = step(StepName::Latency, if is_slow { StepStatus::Warning } else { StepStatus::Passed }, &speed);
    let before = ALL.into_iter().take(4).map(|name| came_through(name, is_https));
    before.chain([capabilities, speed]).collect()
}

fn step(name: StepName, status: StepStatus, message: &str) -> Step {
    Step { name, status, message: message.to_owned() }
}
