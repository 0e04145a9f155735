//! The registered checks, and what they say together.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde::Serialize;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::Binary;

/// How long a check may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(3);

type CheckFuture = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;
type CheckFn = Arc<dyn Fn() -> CheckFuture + Send + Sync>;

/// Whether a failed check makes the service unready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Importance {
    Required,
    Warning,
}

#[derive(Clone)]
struct Check {
    name: &'static str,
    importance: Importance,
    run: CheckFn,
}

/// The health of this process; clones share it.
#[derive(Clone)]
pub struct Health(Arc<Inner>);

struct Inner {
    binary: Binary,
    instance: Uuid,
    shutdown: CancellationToken,
    started: AtomicBool,
    checks: RwLock<Vec<Check>>,
}

/// The body of `/healthz`.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Liveness {
    pub status: &'static str,
    pub service: &'static str,
    pub instance: Uuid,
    pub pid: u32,
    pub version: &'static str,
}

/// The body of `/readyz`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// `ready`, `starting`, `notReady` or `stopping`.
    pub status: &'static str,
    pub service: &'static str,
    pub instance: Uuid,
    pub checks: Vec<CheckReport>,
}

/// What one check said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    pub name: &'static str,
    pub importance: Importance,
    pub ok: bool,
    /// What is wrong; none when it is ok.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Health {
    #[must_use]
    pub fn new(binary: Binary, instance: Uuid, shutdown: CancellationToken) -> Self {
        Self(Arc::new(Inner { binary, instance, shutdown, started: AtomicBool::new(false), checks: RwLock::default() }))
    }

    /// Registers a check without which the service can't do its work. It answers what is wrong in plain words, and no secrets.
    pub fn required<F>(&self, name: &'static str, check: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.register(name, Importance::Required, check);
    }

    /// Registers a check that is shown and decides nothing.
    pub fn warning<F>(&self, name: &'static str, check: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.register(name, Importance::Warning, check);
    }

    fn register<F>(&self, name: &'static str, importance: Importance, check: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let run: CheckFn = Arc::new(move || Box::pin(check()));
        self.0.checks.write().unwrap_or_else(PoisonError::into_inner).push(Check { name, importance, run });
    }

    /// Until this is called the service is not ready, whatever its checks say.
    pub fn started(&self) {
        self.0.started.store(true, Ordering::Release);
    }

    #[must_use]
    pub fn liveness(&self) -> Liveness {
        Liveness {
            status: "ok",
            service: self.0.binary.name(),
            instance: self.0.instance,
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// Runs every check, side by side, and says what they say together.
    pub async fn readiness(&self) -> Readiness {
        let checks = self.0.checks.read().unwrap_or_else(PoisonError::into_inner).clone();
        let checks = futures::future::join_all(checks.into_iter().map(Check::report)).await;
        let failed = checks.iter().any(|check| !check.ok && check.importance == Importance::Required);
        let status = if self.0.shutdown.is_cancelled() {
            "stopping"
        } else if failed {
            "notReady"
        } else if !self.0.started.load(Ordering::Acquire) {
            "starting"
        } else {
            "ready"
        };
        Readiness { status, service: self.0.binary.name(), instance: self.0.instance, checks }
    }
}

impl Readiness {
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.status == "ready"
    }
}

impl Check {
    async fn report(self) -> CheckReport {
        let outcome = match tokio::time::timeout(CHECK_TIMEOUT, (self.run)()).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(format!("no answer within {} s", CHECK_TIMEOUT.as_secs())),
        };
        CheckReport { name: self.name, importance: self.importance, ok: outcome.is_ok(), message: outcome.err() }
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health")
            .field("binary", &self.0.binary)
            .field("instance", &self.0.instance)
            .finish_non_exhaustive()
    }
}
