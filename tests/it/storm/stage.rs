//! A system with a proxy between every two parts, two workers, and a recorder before its webhooks.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use testkit::faults::{Between, Process};
use testkit::history::History;
use testkit::proxy::Proxy;
use testkit::recorder::Recorder;
use testkit::sandbox::Sandbox;
use testkit::{PrivateBroker, PrivateDatabase, Scratch, Service, ServiceOptions};

use crate::system::{LONG, Plan};

/// Everything that can be broken, and what watches it.
pub(super) struct Stage {
    pub(super) history: Arc<History>,
    pub(super) recorder: Recorder,
    pub(super) proxies: BTreeMap<Between, Proxy>,
    pub(super) services: BTreeMap<Process, Service>,
    pub(super) sandbox: Sandbox,
    pub(super) database: PrivateDatabase,
    pub(super) broker: PrivateBroker,
    _flasherp: Service,
    _scratch: Scratch,
}

impl Stage {
    /// Starts it; the history goes into `file`.
    pub(super) async fn start(file: &Path) -> Self {
        let plan = Plan::new().await;
        let flasherp = plan.flasherp().await;
        let sandbox = Sandbox::at(flasherp.url(""));
        let database = local(plan.database.postgres.port());
        let broker = local(plan.broker.nats.port());
        let sandbox_address = flasherp.addresses().http.expect("the sandbox serves HTTP");
        let mut proxies = BTreeMap::new();
        for (between, server) in [
            (Between::IngressAndDatabase, database),
            (Between::WorkerAndDatabase, database),
            (Between::IngressAndBroker, broker),
            (Between::WorkerAndBroker, broker),
            (Between::WorkerAndFlashErp, sandbox_address),
        ] {
            proxies.insert(between, Proxy::start(server).await);
        }
        let through = |options: ServiceOptions, to_database: Between, to_broker: Between, role: &str| {
            let proxy = |between| proxies.get(&between).expect("it was just started");
            options
                .env("DATABASE_URL", proxy(to_database).instead_of(database, &plan.database.url_for(role)))
                .env("NATS_URL", proxy(to_broker).instead_of(broker, &plan.broker.url_for("admin")))
        };
        let worker = || {
            let worker = plan.worker().env("SYNC_MAX_RETRIES", "7");
            through(worker, Between::WorkerAndDatabase, Between::WorkerAndBroker, "erp_sync_worker")
        };
        let second = named(worker(), "second-worker");
        let ingress = through(plan.ingress(), Between::IngressAndDatabase, Between::IngressAndBroker, "erp_ingress");
        let flasherp_url = proxies.get(&Between::WorkerAndFlashErp).expect("it was just started");
        let config_api = plan.config_api(&flasherp_url.instead_of(sandbox_address, &sandbox.api_url()));

        let mut services = BTreeMap::new();
        for (process, options) in [
            (Process::ConfigApi, config_api),
            (Process::Worker, worker()),
            (Process::SecondWorker, second),
            (Process::Ingress, ingress),
        ] {
            services.insert(process, Service::start(options).await.expect("it starts"));
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
        Self { history, recorder, proxies, services, sandbox, database, broker, _flasherp: flasherp, _scratch: scratch }
    }

    /// Where to look further.
    pub(super) fn describe(&self) -> String {
        format!("history in {}", self.history.path().display())
    }
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
