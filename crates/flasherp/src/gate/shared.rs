//! The gate that all callers share, as one process passes it.
//!
//! What is true is the row `sync.outbound_gate`; the rules are [`domain::gate`]'s. Successes write nothing but after a failure. A process that dies
//! takes nothing along but grants it had not used; a probe that it held goes to another worker when its lease is over.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::gate::{Admission, Breaker, BreakerSettings, Caller, Gate as State, Report, Shut};
use domain::retry::RETRY_AFTER_INLINE;
use domain::{ErrorCode, SyncId};
use events::{CircuitChanged, CircuitState};
use futures::future::BoxFuture;
use service::telemetry::propagation::current_traceparent;
use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::by_hand;
use super::fact;
use super::pace::Pace;
use super::reports::{Queued, Reporter};
use super::seen::{Seen, Unseen};
use super::{Aftermath, Gate, Refusal};
use crate::call::{Operation, Subject};
use crate::error::CallError;

/// A passed health check answers for the failures of this long.
const HEALTH_HOLDS: Duration = Duration::from_secs(1);
/// A quota without a time to wait is looked at again after this.
const QUOTA_PAUSE: Duration = Duration::from_secs(60);
/// When asking again makes sense while the gate can't be read.
const UNSEEN_PAUSE: Duration = Duration::from_secs(2);

/// How the gate works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GateSettings {
    /// The breaker.
    pub breaker: BreakerSettings,
    /// `FLASHERP_MAX_RPS`: requests a second of all workers together; 0: no cap.
    pub max_per_second: u32,
}

/// Told of every change that this process made and others hear of, after its commit.
pub type Told = Arc<dyn Fn(&CircuitChanged) + Send + Sync>;

/// The shared gate. Cheap to clone.
#[derive(Clone)]
pub struct SharedGate {
    inner: Arc<Inner>,
}

struct Inner {
    pool: PgPool,
    seen: Arc<Seen>,
    reports: mpsc::UnboundedSender<Queued>,
    pace: Option<Pace>,
    probe: Mutex<Option<Probe>>,
    healthy_at: Mutex<Option<Instant>>,
}

/// The probe that this process holds.
#[derive(Debug, Clone, Copy)]
struct Probe {
    owner: Uuid,
    record: SyncId,
    probed: Probed,
}

/// What came of a probe's record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Probed {
    /// How many calls FlashERP answered for it.
    pub answered: u32,
    /// Whether one failed as only a FlashERP in trouble does. The breaker is open again then.
    pub failed: bool,
}

impl SharedGate {
    /// The gate of the database behind `pool`. Needs a runtime: it starts the tasks that write reports and take grants; they end with the last clone.
    #[must_use]
    pub fn start(pool: PgPool, settings: GateSettings, told: Told) -> Self {
        let seen = Arc::new(Seen::new(pool.clone()));
        let (reports, incoming) = mpsc::unbounded_channel();
        let reporter = Reporter { pool: pool.clone(), settings: settings.breaker, seen: Arc::clone(&seen), told };
        tokio::spawn(reporter.run(incoming));
        let pace = (settings.max_per_second > 0).then(|| Pace::start(pool.clone(), settings.max_per_second));
        Self {
            inner: Arc::new(Inner { pool, seen, reports, pace, probe: Mutex::new(None), healthy_at: Mutex::new(None) }),
        }
    }

    /// The gate for a client whose credentials are of this version of the configuration.
    #[must_use]
    pub fn of_version(&self, version: i64) -> Arc<dyn Gate> {
        Arc::new(VersionedGate { shared: self.clone(), version })
    }

    /// A version of the configuration is in force: ends a stop that an earlier one's credentials had brought.
    pub async fn configured(&self, version: i64) {
        self.report(Report::Configured { version }).await;
    }

    /// The breaker as it is now; none while the database can't be read.
    pub async fn circuit(&self) -> Option<CircuitState> {
        self.inner.seen.look(|gate, _| fact::state(gate)).await.ok()
    }

    /// Pauses outbound work by hand, and says whether it was not paused before.
    ///
    /// # Errors
    /// The database can't be written.
    pub async fn pause(&self, by: &str, reason: &str, request: Option<domain::RequestId>) -> Result<bool, sqlx::Error> {
        by_hand::pause(&mut *self.inner.pool.acquire().await?, by, reason, request).await
    }

    /// Ends the pause, and says whether there was one.
    ///
    /// # Errors
    /// The database can't be written.
    pub async fn resume(&self, request: Option<domain::RequestId>) -> Result<bool, sqlx::Error> {
        by_hand::resume(&mut *self.inner.pool.acquire().await?, request).await
    }

    /// Takes the probe, if one is due and nobody else has it. The fence to go on with.
    pub async fn take_probe(&self, lease: Duration) -> Option<Uuid> {
        if !self.inner.seen.look(State::probe_is_due).await.ok()? {
            return None;
        }
        let owner = Uuid::new_v4();
        let gate = self.report(Report::ProbeTaken { owner, lease }).await?;
        matches!(&gate.breaker, Breaker::HalfOpen { probe, .. } if probe.owner == owner).then_some(owner)
    }

    /// Lets the calls for this record pass as the probe's.
    pub async fn probe_with(&self, owner: Uuid, record: SyncId) {
        *lock(&self.inner.probe) = Some(Probe { owner, record, probed: Probed::default() });
        self.report(Report::ProbeChosen { owner, record }).await;
    }

    /// Ends the passing and says what came of it.
    #[must_use]
    pub fn probed(&self) -> Probed {
        lock(&self.inner.probe).take().map_or_else(Probed::default, |probe| probe.probed)
    }

    /// The probe succeeded, or there was nothing to try: the breaker closes, if the lease still holds.
    pub async fn probe_succeeded(&self, owner: Uuid) {
        self.report(Report::ProbeSucceeded { owner }).await;
    }

    /// The probe failed in another way than by its record: the breaker opens again, if the lease still holds.
    pub async fn probe_failed(&self, owner: Uuid) {
        self.report(Report::ProbeFailed { owner }).await;
    }

    /// This process can't go on with the probe.
    pub async fn give_probe_back(&self, owner: Uuid) {
        self.report(Report::ProbeGivenBack { owner }).await;
    }

    /// Reports and waits for the gate after it; none if it could not be written.
    async fn report(&self, report: Report) -> Option<State> {
        let (done, answered) = oneshot::channel();
        self.inner.reports.send(Queued { report, traceparent: current_traceparent(), done: Some(done) }).ok()?;
        answered.await.ok()
    }

    /// Reports and goes on.
    fn note(&self, report: Report) {
        // The task goes only with the last clone.
        let _gone = self.inner.reports.send(Queued { report, traceparent: current_traceparent(), done: None });
    }

    fn caller(&self, subject: Subject) -> Caller {
        let probe = lock(&self.inner.probe).filter(|probe| subject.sync_id == Some(probe.record));
        Caller {
            outbound: subject.sync_id.is_some() || subject.operation.writes(),
            probe: probe.map(|probe| probe.owner),
        }
    }

    /// Lets a call or a try pass, after a short wait if need be.
    async fn admit(&self, subject: Subject) -> Result<(), Refusal> {
        if subject.operation == Operation::Health {
            return Ok(());
        }
        loop {
            let caller = self.caller(subject);
            let admission = self.inner.seen.look(|gate, now| (gate.admits(caller, now), now)).await;
            let wait = match admission {
                Ok((Admission::Pass, _)) => return Ok(()),
                Ok((Admission::Wait { until, code }, now)) => {
                    let wait = Duration::try_from(until - now).unwrap_or(Duration::ZERO);
                    if wait > RETRY_AFTER_INLINE {
                        let message = "FlashERP asked us to wait".to_owned();
                        return Err(Refusal { code, message, retry_after: Some(wait) });
                    }
                    wait
                }
                Ok((Admission::Shut(shut), now)) => return Err(refusal(shut, now)),
                Err(Unseen) => {
                    return Err(Refusal {
                        code: ErrorCode::ServiceUnavailable,
                        message: "whether FlashERP may be called can't be read".to_owned(),
                        retry_after: Some(UNSEEN_PAUSE),
                    });
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    async fn health_left(&self, failure: Option<&CallError>, version: i64) {
        let Some(error) = failure else {
            *lock(&self.inner.healthy_at) = Some(Instant::now());
            let worth_telling = self.inner.seen.look_anew(|gate, _| {
                gate.stop.is_some() || matches!(&gate.breaker, Breaker::Closed(streak) if streak.health_failed)
            });
            if worth_telling.await == Ok(true) {
                self.report(Report::HealthPassed).await;
            }
            return;
        };
        *lock(&self.inner.healthy_at) = None;
        if error.locks_us_out() {
            self.report(Report::LockedOut { code: error.code, version }).await;
        } else if error.counts_for_breaker() {
            self.report(Report::HealthFailed).await;
        }
    }

    async fn left(&self, subject: Subject, failure: Option<&CallError>) -> Aftermath {
        let probing = self.note_probe(subject, failure).await;
        let Some(error) = failure else {
            if !probing && self.inner.seen.look(|gate, _| gate.heeds_success()).await == Ok(true) {
                self.note(Report::Succeeded);
            }
            return Aftermath::Stands;
        };
        if probing || error.handed_back {
            return Aftermath::Stands;
        }
        if error.counts_for_breaker() {
            return match self.report(Report::Failed { record: subject.sync_id }).await {
                Some(gate) if gate.is_closed() && self.is_known_healthy() => Aftermath::Stands,
                Some(gate) if gate.is_closed() => Aftermath::AskHealth,
                // Not written: maybe it has closed; a try that can be made again costs less than a retry.
                Some(_) | None => Aftermath::HandedBack,
            };
        }
        match self.inner.seen.look(|gate, _| (gate.is_closed(), gate.stop.is_some())).await {
            Ok((_, true)) if error.locks_us_out() => Aftermath::HandedBack,
            _ if error.locks_us_out() => Aftermath::AskHealth,
            Ok((false, _)) if error.retry_helps() => Aftermath::HandedBack,
            Ok(_) | Err(Unseen) => Aftermath::Stands,
        }
    }

    /// Whether the call was the probe's. Its failure opens the breaker again at once.
    async fn note_probe(&self, subject: Subject, failure: Option<&CallError>) -> bool {
        let owner = {
            let mut probe = lock(&self.inner.probe);
            let Some(probe) = probe.as_mut().filter(|probe| subject.sync_id == Some(probe.record)) else {
                return false;
            };
            match failure {
                Some(error) if error.handed_back => return true,
                Some(error) if error.counts_for_breaker() => probe.probed.failed = true,
                Some(_) | None => {
                    probe.probed.answered += 1;
                    return true;
                }
            }
            probe.owner
        };
        self.report(Report::ProbeFailed { owner }).await;
        true
    }

    fn is_known_healthy(&self) -> bool {
        lock(&self.inner.healthy_at).is_some_and(|at| at.elapsed() < HEALTH_HOLDS)
    }
}

fn refusal(shut: Shut, now: time::OffsetDateTime) -> Refusal {
    match shut {
        Shut::Paused => Refusal {
            code: ErrorCode::ServiceUnavailable,
            message: "outbound work is paused".to_owned(),
            retry_after: None,
        },
        Shut::Stopped(code) => Refusal {
            code,
            message: "FlashERP refuses our credentials; nothing is sent until the configuration changes".to_owned(),
            retry_after: None,
        },
        Shut::Open { retry_at } => Refusal {
            code: ErrorCode::ServiceUnavailable,
            message: "FlashERP does not work at the moment; nothing is sent until a probe has succeeded".to_owned(),
            retry_after: Duration::try_from(retry_at - now).ok(),
        },
    }
}

/// The shared gate for the credentials of one version of the configuration.
struct VersionedGate {
    shared: SharedGate,
    version: i64,
}

impl Gate for VersionedGate {
    fn enter(&self, subject: Subject) -> BoxFuture<'_, Result<(), Refusal>> {
        Box::pin(self.shared.admit(subject))
    }

    fn turn(&self, subject: Subject) -> BoxFuture<'_, Result<(), Refusal>> {
        Box::pin(async move {
            if let Some(pace) = self.shared.inner.pace.as_ref().filter(|_| subject.operation != Operation::Health) {
                pace.turn().await;
            }
            self.shared.admit(subject).await
        })
    }

    fn turned_away<'a>(&'a self, _: Subject, error: &'a CallError) -> BoxFuture<'a, ()> {
        let without_a_time = if error.code == ErrorCode::QuotaExceeded { QUOTA_PAUSE } else { Duration::ZERO };
        let wait = error.retry_after.unwrap_or(without_a_time);
        Box::pin(async move {
            if !wait.is_zero() {
                self.shared.report(Report::ToldToWait { wait, code: error.code }).await;
            }
        })
    }

    fn leave<'a>(&'a self, subject: Subject, failure: Option<&'a CallError>) -> BoxFuture<'a, Aftermath> {
        Box::pin(async move {
            if subject.operation == Operation::Health {
                self.shared.health_left(failure, self.version).await;
                return Aftermath::Stands;
            }
            self.shared.left(subject, failure).await
        })
    }

    fn after_health<'a>(&'a self, _: Subject, error: &'a CallError) -> BoxFuture<'a, Aftermath> {
        Box::pin(async move {
            match self.shared.inner.seen.look_anew(|gate, _| (gate.is_closed(), gate.stop.is_some())).await {
                Ok((_, true)) if error.locks_us_out() => Aftermath::HandedBack,
                Ok((false, _)) if error.counts_for_breaker() => Aftermath::HandedBack,
                Ok(_) | Err(Unseen) => Aftermath::Stands,
            }
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What they guard is replaced whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
