//! A system with a proxy between every two parts, two workers, and a recorder before its webhooks.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use testkit::disk::Disk;
use testkit::faults::{Between, Point, Process};
use testkit::history::History;
use testkit::proxy::Proxy;
use testkit::recorder::Recorder;
use testkit::sandbox::Sandbox;
use testkit::{PrivateBroker, PrivateDatabase, Scratch, Service, ServiceOptions};

use crate::system::{LONG, Plan};

/// Everything that can be broken, and what watches it.
pub(crate) struct Stage {
    pub(crate) history: Arc<History>,
    pub(super) recorder: Recorder,
    pub(super) proxies: BTreeMap<Between, Proxy>,
    pub(super) services: BTreeMap<Process, Service>,
    /// How each was started in health.
    pub(super) options: BTreeMap<Process, ServiceOptions>,
    pub(super) sandbox: Sandbox,
    pub(crate) database: PrivateDatabase,
    pub(super) broker: PrivateBroker,
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
    /// Starts it, with a FlashERP that honours idempotency keys or not, database and broker on `disk` if there is one; the history goes into
    /// `file`.
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
        for between in Between::ALL.into_iter().filter(|between| *between != Between::StripeAndIngress) {
            proxies.insert(between, Proxy::start(servers.behind(between)).await);
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
        let webhooks = Proxy::start(ingress).await;
        let history = Arc::new(History::create(file));
        let recorder =
            Recorder::start(format!("http://{}/api/webhooks/stripe", webhooks.address()), Arc::clone(&history));
        proxies.insert(Between::StripeAndIngress, webhooks);
        let (database, broker, scratch) = plan.into_parts();
        if let Some(disk) = &disk {
            // A cluster is made without syncing: a machine that dies in that moment makes a new one.
            disk.sync();
        }
        Self {
            history,
            recorder,
            proxies,
            services,
            options,
            sandbox,
            database,
            broker,
            unanswered: Mutex::default(),
            deaths: BTreeMap::new(),
            _flasherp: flasherp,
            scratch,
            disk,
        }
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
    fn behind(&self, between: Between) -> SocketAddr {
        match between {
            Between::IngressAndDatabase
            | Between::WorkerAndDatabase
            | Between::SecondWorkerAndDatabase
            | Between::ConfigApiAndDatabase => self.database,
            Between::IngressAndBroker | Between::WorkerAndBroker | Between::SecondWorkerAndBroker => self.broker,
            Between::WorkersAndFlashErp => self.flasherp,
            Between::StripeAndIngress => unreachable!("ingress starts later, behind a proxy of its own"),
        }
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
    let worker = || plan.worker().env("SYNC_MAX_RETRIES", "7");
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

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
