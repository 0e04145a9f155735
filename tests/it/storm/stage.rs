//! A system with a proxy between every two parts, two workers, and a recorder before the webhooks of each sender.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use testkit::disk::Disk;
use testkit::faults::{Between, Point, Process};
use testkit::history::{History, What};
use testkit::proxy::Proxy;
use testkit::recorder::{Recorder, Sender};
use testkit::sandbox::Sandbox;
use testkit::{PrivateBroker, PrivateDatabase, Scratch, Service, ServiceOptions, eventually};

use super::finance::Finance;
use super::flasherp;
use crate::system::{LONG, Plan};

/// Everything that can be broken, and what watches it.
pub(crate) struct Stage {
    /// What Stripe sent.
    pub(crate) history: Arc<History>,
    /// What FlashERP sent.
    pub(crate) flasherps: Arc<History>,
    pub(super) from_stripe: Recorder,
    pub(super) from_flasherp: Recorder,
    pub(super) proxies: BTreeMap<Between, Proxy>,
    pub(super) services: BTreeMap<Process, Service>,
    /// How each was started in health.
    pub(super) options: BTreeMap<Process, ServiceOptions>,
    pub(super) sandbox: Sandbox,
    pub(crate) database: PrivateDatabase,
    pub(super) broker: PrivateBroker,
    /// Who works in FlashERP meanwhile.
    pub(super) finance: Finance,
    /// Calls from outside that a process did not answer.
    pub(super) unanswered: Mutex<BTreeMap<Process, u64>>,
    /// Deaths that were ordered.
    pub(super) deaths: BTreeMap<Point, u64>,
    _flasherp: Service,
    scratch: Scratch,
    /// After the servers, which use it.
    pub(super) disk: Option<Disk>,
}

impl Stage {
    /// Starts it, with a FlashERP that honours idempotency keys or not, database and broker on `disk` if there is one; the histories go into
    /// `file` and, of FlashERP's webhooks, a file beside it.
    pub(crate) async fn start(file: &Path, keys: bool, disk: Option<Disk>) -> Self {
        let plan = match &disk {
            Some(disk) => Plan::on(disk.path()).await,
            None => Plan::new().await,
        };
        let flasherp = plan.flasherp().await;
        let sandbox = Sandbox::at(flasherp.url(""));
        if !keys {
            // Before anybody has asked what FlashERP can do: workers remember it.
            sandbox.set_capabilities(&["updated-since"]).await;
        }
        let servers = Servers {
            database: local(plan.database.postgres.port()),
            broker: local(plan.broker.nats.port()),
            flasherp: flasherp.addresses().http.expect("the sandbox serves HTTP"),
        };
        let mut proxies = BTreeMap::new();
        for between in Between::ALL {
            if let Some(server) = servers.behind(between) {
                proxies.insert(between, Proxy::start(server).await);
            }
        }
        let options = options(&plan, &servers, &proxies, &sandbox.api_url());
        let mut services = BTreeMap::new();
        for (process, options) in &options {
            services.insert(*process, Service::start(options.clone()).await.expect("it starts"));
        }
        for service in services.values_mut() {
            service.until_ready(LONG).await.expect("ready");
        }
        let ingress = services.get(&Process::Ingress).and_then(|ingress| ingress.addresses().http).expect("HTTP");
        let (history, flasherps) = (history(file), history(&file.with_extension("flasherp.jsonl")));
        let (to_stripes, to_flasherps) = (Proxy::start(ingress).await, Proxy::start(ingress).await);
        let url = |proxy: &Proxy, of: &str| format!("http://{}/api/webhooks/{of}", proxy.address());
        let from_stripe = Recorder::start(Sender::Stripe, url(&to_stripes, "stripe"), Arc::clone(&history));
        let from_flasherp = Recorder::start(Sender::FlashErp, url(&to_flasherps, "flasherp"), Arc::clone(&flasherps));
        sandbox.set_webhooks(&flasherp::webhooks(from_flasherp.url())).await;
        proxies.insert(Between::StripeAndIngress, to_stripes);
        proxies.insert(Between::FlashErpAndIngress, to_flasherps);
        let (database, broker, scratch) = plan.into_parts();
        if let Some(disk) = &disk {
            // A cluster is made without syncing: a machine that dies in that moment makes a new one.
            disk.sync();
        }
        Self {
            history,
            flasherps,
            from_stripe,
            from_flasherp,
            proxies,
            services,
            options,
            sandbox,
            database,
            broker,
            finance: Finance::default(),
            unanswered: Mutex::default(),
            deaths: BTreeMap::new(),
            _flasherp: flasherp,
            scratch,
            disk,
        }
    }

    /// Lets finance begin, with payments of UpCoach's own for so many acts. What Stripe was to send first has been accepted.
    pub(super) async fn open_books(&self, acts: usize, patience: Duration) {
        let pool = self.database.pool("erp_owner").await;
        // Finance's invoices are UpCoach's business.
        sqlx::query("UPDATE config.erp_configurations SET sync_scope = sync_scope || '{\"invoices\": true}'")
            .execute(&pool)
            .await
            .expect("the scope");
        eventually(patience, "Stripe's customers are there", || self.is_in_step()).await;
        Finance::make_payments(&pool, acts).await.expect("payments of UpCoach's own");
        eventually(patience, "UpCoach's own payments are in FlashERP", || self.is_in_step()).await;
        self.finance.open(&pool).await.expect("what is in step");
        pool.close().await;
    }

    /// Writes into both histories.
    pub(super) fn note(&self, what: &What) {
        self.history.write(what.clone());
        self.flasherps.write(what.clone());
    }

    /// Copies the services' logs there, for whoever looks for the cause of a failure.
    pub(super) fn keep_logs(&self, folder: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        for entry in std::fs::read_dir(self.scratch.path())? {
            let path = entry?.path();
            if let (Some("log"), Some(name)) = (path.extension().and_then(|end| end.to_str()), path.file_name()) {
                std::fs::copy(&path, folder.join(name))?;
            }
        }
        Ok(())
    }
}

/// What stands behind the proxies.
struct Servers {
    database: SocketAddr,
    broker: SocketAddr,
    flasherp: SocketAddr,
}

impl Servers {
    /// None: ingress, which starts later, behind proxies of its own.
    fn behind(&self, between: Between) -> Option<SocketAddr> {
        Some(match between {
            Between::IngressAndDatabase
            | Between::WorkerAndDatabase
            | Between::SecondWorkerAndDatabase
            | Between::ConfigApiAndDatabase => self.database,
            Between::IngressAndBroker | Between::WorkerAndBroker | Between::SecondWorkerAndBroker => self.broker,
            Between::WorkersAndFlashErp => self.flasherp,
            Between::StripeAndIngress | Between::FlashErpAndIngress => return None,
        })
    }
}

/// How each service is started, all of its ways leading through proxies.
fn options(
    plan: &Plan,
    servers: &Servers,
    proxies: &BTreeMap<Between, Proxy>,
    api_url: &str,
) -> BTreeMap<Process, ServiceOptions> {
    let proxy = |between: Between| proxies.get(&between).expect("it was just started");
    let database = |options: ServiceOptions, between: Between, role: &str| {
        let url = proxy(between).instead_of(servers.database, &plan.database.url_for(role));
        options.env("DATABASE_URL", url)
    };
    let broker = |options: ServiceOptions, between: Between| {
        options.env("NATS_URL", proxy(between).instead_of(servers.broker, &plan.broker.url_for("admin")))
    };
    // Short leases: much of a run is waiting for their ends. (A try begins only with its timeout and 5 s of the lease left.) Enough retries that
    // none run out while a fault lasts; the last pause is also that between two look-ups that fail, so not too many.
    let worker =
        || plan.worker().env("SYNC_MAX_RETRIES", "6").env("FLASHERP_TIMEOUT_SECS", "1").env("SYNC_LEASE_SECS", "8");
    let base_url = proxy(Between::WorkersAndFlashErp).instead_of(servers.flasherp, api_url);
    BTreeMap::from([
        (Process::ConfigApi, database(plan.config_api(&base_url), Between::ConfigApiAndDatabase, "erp_config_api")),
        (
            Process::Worker,
            broker(database(worker(), Between::WorkerAndDatabase, "erp_sync_worker"), Between::WorkerAndBroker),
        ),
        (
            Process::SecondWorker,
            broker(
                database(named(worker(), "second-worker"), Between::SecondWorkerAndDatabase, "erp_sync_worker"),
                Between::SecondWorkerAndBroker,
            ),
        ),
        (
            Process::Ingress,
            broker(database(plan.ingress(), Between::IngressAndDatabase, "erp_ingress"), Between::IngressAndBroker),
        ),
    ])
}

/// With files of its own, beside the first one's.
fn named(options: ServiceOptions, name: &str) -> ServiceOptions {
    ServiceOptions {
        port_file: options.port_file.with_file_name(format!("{name}.json")),
        log: options.log.with_file_name(format!("{name}.log")),
        ..options
    }
}

fn history(file: &Path) -> Arc<History> {
    Arc::new(History::create(file))
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
