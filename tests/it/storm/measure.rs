//! Whether a fault is felt: what it leaves to count, at one moment.

use std::sync::PoisonError;
use std::time::Duration;

use sqlx::Connection as _;
use testkit::faults::{Between, Fault, FlashErpFault, LinkFault, Process};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::stage::Stage;

/// Who does not answer for so long does not answer.
const PROBE: Duration = Duration::from_secs(1);

/// Counts at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measure {
    /// Tries of the senders.
    pub(super) attempts: u64,
    /// Those that were refused or not answered.
    pub(super) refused: u64,
    /// What the fault itself leaves to count.
    pub(super) felt: u64,
    /// Its unit.
    pub(super) unit: &'static str,
}

impl Stage {
    /// What of a fault can be counted so far.
    pub(super) async fn measure(&self, fault: Fault) -> Measure {
        let (felt, unit) = match fault {
            Fault::Killed(process) | Fault::Frozen(process) | Fault::Restarted(process) => {
                (self.unanswered_by(process), "calls unanswered")
            }
            Fault::BrokerStorageDeleted => (self.unanswered_by(Process::Broker), "calls unanswered"),
            Fault::PowerCut => (self.unanswered_by(Process::Database), "calls unanswered"),
            Fault::Dies(point) => (self.deaths.get(&point).copied().unwrap_or_default(), "deaths there"),
            Fault::Link(between, fault) => {
                let counts = self.proxy(between).counts();
                match fault {
                    LinkFault::Delayed | LinkFault::Slow => (counts.to_server + counts.to_client, "bytes passed"),
                    LinkFault::Held => (counts.held, "bytes held"),
                    LinkFault::Dropped | LinkFault::DeafServer | LinkFault::DeafClient => (counts.lost, "bytes lost"),
                    LinkFault::Reset | LinkFault::Refused | LinkFault::CutToServer | LinkFault::CutToClient => {
                        (counts.reset, "connections reset")
                    }
                }
            }
            Fault::StripeApiUnavailable => {
                (self.sandbox.counters().await.stripe_calls.values().sum(), "calls answered 503")
            }
            Fault::FlashErp(fault) => {
                let counters = self.sandbox.counters().await;
                let hit = |kind: &str| counters.faults.get(kind).copied().unwrap_or_default();
                let answered = |status: u16| counters.answers.get(&status).copied().unwrap_or_default();
                match fault {
                    FlashErpFault::Outage => (answered(503), "calls answered 503"),
                    FlashErpFault::FewCallsASecond => (answered(429), "calls answered 429"),
                    FlashErpFault::Gone => (counters.cuts, "calls cut"),
                    FlashErpFault::ChangesWhilePaged => (hit("change-while-paged"), "pages changed"),
                    FlashErpFault::Degraded
                    | FlashErpFault::UnevenLatency
                    | FlashErpFault::ClockAhead
                    | FlashErpFault::ClockBehind => (counters.calls.values().sum(), "calls meanwhile"),
                    FlashErpFault::WebhooksDoubled => (self.sandbox.webhooks().await.repeats, "webhooks doubled"),
                    FlashErpFault::WebhooksLate | FlashErpFault::WebhooksOutOfOrder => {
                        (self.sandbox.webhooks().await.told, "webhooks meanwhile")
                    }
                    FlashErpFault::CutsBeforeWrite
                    | FlashErpFault::CutsAfterWrite
                    | FlashErpFault::LateWrites
                    | FlashErpFault::ServerErrors
                    | FlashErpFault::ServerErrorsAfterWrite
                    | FlashErpFault::HtmlErrors
                    | FlashErpFault::EmptyErrors
                    | FlashErpFault::RateLimitInSeconds
                    | FlashErpFault::RateLimitUntilDate
                    | FlashErpFault::RateLimitNonsense
                    | FlashErpFault::QuotaUsedUp
                    | FlashErpFault::SlowBodies
                    | FlashErpFault::CutBodies
                    | FlashErpFault::GarbageBodies
                    | FlashErpFault::TooSlow
                    | FlashErpFault::TooSlowBeforeWrite => (counters.faults.values().sum(), "calls hit"),
                }
            }
        };
        Measure { attempts: self.history.attempts(), refused: self.history.refused(), felt, unit }
    }

    /// Whether each has been felt since; asks those processes for an answer that must not give one.
    pub(super) async fn all_felt(&self, begun: &[(Fault, Measure)]) -> bool {
        for (fault, before) in begun {
            if fault.is_of_reconciliations() && self.admin.is_due() {
                self.spoil_and_ask().await;
            }
            match fault {
                Fault::Killed(process) | Fault::Frozen(process) | Fault::Restarted(process) => {
                    self.probe(*process).await;
                }
                Fault::BrokerStorageDeleted => self.probe(Process::Broker).await,
                Fault::PowerCut => self.probe(Process::Database).await,
                // It has nothing else to say to the database.
                Fault::Link(Between::ConfigApiAndDatabase, _) => self.ask_readiness(Process::ConfigApi).await,
                Fault::Dies(point) => {
                    if self.is_running(point.process) {
                        return false;
                    }
                    continue;
                }
                Fault::Link(Between::GatewayAndConfigApi, _) => self.admin.look().await,
                Fault::Link(..) | Fault::FlashErp(_) | Fault::StripeApiUnavailable => {}
            }
            if self.measure(*fault).await.felt == before.felt {
                if let Fault::Link(between, LinkFault::Reset) = fault {
                    // There was no connection when it began.
                    self.proxy(*between).reset();
                }
                return false;
            }
        }
        true
    }

    /// Something for the reconciler to find, and the wish that it looks.
    pub(super) async fn spoil_and_ask(&self) {
        self.shelf.spoil(&self.sandbox).await;
        // Unanswered it may have been heard all the same.
        let _unanswered = self.admin.ask(&self.shelf.reconciliation()).await;
    }

    /// Leases on syncs, of all workers: what a death leaves in the middle. 0 when the database can't be asked.
    pub(super) async fn in_hand(&self) -> u64 {
        let count = async {
            let mut connection = sqlx::PgConnection::connect(&self.database.url_for("erp_owner")).await?;
            let leases: i64 =
                sqlx::query_scalar("SELECT count(*) FROM sync.erp_syncs WHERE lease_until > clock_timestamp()")
                    .fetch_one(&mut connection)
                    .await?;
            connection.close().await?;
            Ok::<_, sqlx::Error>(leases)
        };
        match tokio::time::timeout(PROBE, count).await {
            Ok(Ok(leases)) => u64::try_from(leases).unwrap_or_default(),
            Ok(Err(_)) | Err(_) => 0,
        }
    }

    fn unanswered_by(&self, process: Process) -> u64 {
        let unanswered = self.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
        unanswered.get(&process).copied().unwrap_or_default()
    }

    /// Calls it from outside and counts if there is no answer.
    async fn probe(&self, process: Process) {
        let answers = match process {
            Process::Database => {
                let url = self.database.admin_url();
                tokio::time::timeout(PROBE, sqlx::PgConnection::connect(&url)).await.is_ok_and(|there| there.is_ok())
            }
            Process::Broker => {
                let greeting = async {
                    let mut stream = TcpStream::connect(("127.0.0.1", self.broker.nats.port())).await?;
                    stream.read_u8().await
                };
                tokio::time::timeout(PROBE, greeting).await.is_ok_and(|there| there.is_ok())
            }
            _ => self.get(process, "/healthz").await,
        };
        if !answers {
            let mut unanswered = self.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
            *unanswered.entry(process).or_default() += 1;
        }
    }

    async fn ask_readiness(&self, process: Process) {
        // What it says is its own affair.
        let _ready = self.get(process, "/readyz").await;
    }

    async fn get(&self, process: Process, path: &str) -> bool {
        let Some(service) = self.services.get(&process) else { return false };
        let client = reqwest::Client::builder().no_proxy().timeout(PROBE).build().expect("a plain client");
        client.get(service.management_url(path)).send().await.is_ok()
    }
}
