//! A system with a proxy between every two parts, two workers, and a recorder before the webhooks of each sender, which come through the gateway.
//! Beside the scheduler and the reconciler that are hit there is one of each that nobody hits, so that there is somebody to take over.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
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

use super::admin::Admin;
use super::finance::Finance;
use super::flasherp;
use super::listed::Listed;
use super::shelf::Shelf;
use crate::system::{LONG, Plan, STRIPE_KEY, free_address};

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
    /// Who takes over from those of which there is one.
    pub(super) standbys: BTreeMap<Process, Service>,
    /// How each was started in health.
    pub(super) options: BTreeMap<Process, ServiceOptions>,
    pub(super) sandbox: Sandbox,
    pub(crate) database: PrivateDatabase,
    pub(super) broker: PrivateBroker,
    /// Who works in FlashERP meanwhile.
    pub(super) finance: Finance,
    /// What somebody spoils behind everybody's back, for a reconciliation to find.
    pub(super) shelf: Shelf,
    /// Who asks for reconciliations.
    pub(super) admin: Admin,
    /// What Stripe lists, told by webhooks or not.
    pub(super) listed: Listed,
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
            ingress: free_address(),
            config_api: free_address(),
            gateway: free_address(),
        };
        let proxies = proxies(&servers).await;
        let options = options(&plan, &servers, &proxies, &sandbox);
        let mut services = BTreeMap::new();
        for (process, options) in &options {
            services.insert(*process, Service::start(options.clone()).await.expect("it starts"));
        }
        let mut standbys = BTreeMap::new();
        for process in [Process::Scheduler, Process::Reconciler] {
            let options = standby(&plan, &sandbox, process);
            standbys.insert(process, Service::start(options).await.expect("it starts"));
        }
        for service in services.values_mut().chain(standbys.values_mut()) {
            service.until_ready(LONG).await.expect("ready");
        }
        let (history, flasherps) = (history(file), history(&file.with_extension("flasherp.jsonl")));
        let url = |between: Between, path: &str| format!("http://{}{path}", proxies[&between].address());
        let from_stripe = url(Between::StripeAndGateway, "/api/webhooks/stripe");
        let from_flasherp = url(Between::FlashErpAndGateway, "/api/webhooks/flasherp");
        let from_stripe = Recorder::start(Sender::Stripe, from_stripe, Arc::clone(&history));
        let from_flasherp = Recorder::start(Sender::FlashErp, from_flasherp, Arc::clone(&flasherps));
        sandbox.set_webhooks(&flasherp::webhooks(from_flasherp.url())).await;
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
            standbys,
            options,
            admin: Admin::at(servers.gateway),
            listed: Listed::new(&file.with_extension("listed.jsonl"), sandbox.stripe_url()),
            sandbox,
            database,
            broker,
            finance: Finance::default(),
            shelf: Shelf::default(),
            unanswered: Mutex::default(),
            deaths: BTreeMap::new(),
            _flasherp: flasherp,
            scratch,
            disk,
        }
    }

    /// Lets finance begin, with payments of UpCoach's own for so many acts, and puts so many on the shelf. What Stripe was to send first has been
    /// accepted.
    pub(super) async fn open_books(&self, acts: usize, shelf: usize, patience: Duration) {
        let pool = self.database.pool("erp_owner").await;
        // Finance's invoices are UpCoach's business.
        sqlx::query("UPDATE config.erp_configurations SET sync_scope = sync_scope || '{\"invoices\": true}'")
            .execute(&pool)
            .await
            .expect("the scope");
        hurry_jobs(&pool).await;
        eventually(patience, "Stripe's customers are there", || self.is_in_step()).await;
        self.shelf.stock(&pool, shelf).await.expect("payments on the shelf");
        eventually(patience, "the payments on the shelf are in FlashERP", || self.is_in_step()).await;
        self.shelf.open(&pool, &self.finance).await.expect("what is in step");
        Finance::make_payments(&pool, acts).await.expect("payments of UpCoach's own");
        eventually(patience, "UpCoach's own payments are in FlashERP", || self.is_in_step()).await;
        self.finance.open(&pool).await.expect("what is in step");
        pool.close().await;
    }

    /// Writes into all histories.
    pub(super) fn note(&self, what: &What) {
        self.history.write(what.clone());
        self.flasherps.write(what.clone());
        self.listed.history.write(what.clone());
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

/// The jobs that run all the time in a storm, and after how many seconds each comes again.
const JOBS: [(&str, i32); 6] = [
    ("retry-queue", 2),
    ("health-check", 2),
    ("seal-audit-log", 2),
    ("pull-missed-events", 3),
    ("reconciliation", 4),
    ("prune", 7),
];

/// As an admin who is in a hurry.
async fn hurry_jobs(pool: &sqlx::PgPool) {
    for (job, seconds) in JOBS {
        let known = sqlx::query("UPDATE scheduling.jobs SET cron = NULL, interval_secs = $2 WHERE name = $1")
            .bind(job)
            .bind(seconds)
            .execute(pool)
            .await
            .expect("the timetable is edited");
        assert_eq!(known.rows_affected(), 1, "there is no job {job}");
    }
}

/// What stands behind the proxies.
struct Servers {
    database: SocketAddr,
    broker: SocketAddr,
    flasherp: SocketAddr,
    ingress: SocketAddr,
    config_api: SocketAddr,
    gateway: SocketAddr,
}

impl Servers {
    fn behind(&self, between: Between) -> SocketAddr {
        match between {
            Between::IngressAndDatabase
            | Between::WorkerAndDatabase
            | Between::SecondWorkerAndDatabase
            | Between::ConfigApiAndDatabase
            | Between::SchedulerAndDatabase
            | Between::ReconcilerAndDatabase => self.database,
            Between::IngressAndBroker
            | Between::WorkerAndBroker
            | Between::SecondWorkerAndBroker
            | Between::SchedulerAndBroker
            | Between::ReconcilerAndBroker => self.broker,
            Between::WorkersAndFlashErp
            | Between::SchedulerAndFlashErp
            | Between::ReconcilerAndFlashErp
            | Between::WorkersAndStripe
            | Between::SchedulerAndStripe => self.flasherp,
            Between::GatewayAndIngress => self.ingress,
            Between::GatewayAndConfigApi => self.config_api,
            Between::StripeAndGateway | Between::FlashErpAndGateway => self.gateway,
        }
    }
}

/// One for each connection. FlashERP's address is in the configuration, the same for all: there the program decides whose connection it is.
async fn proxies(servers: &Servers) -> BTreeMap<Between, Proxy> {
    let mut proxies = BTreeMap::new();
    let (workers, others) = Proxy::shared(servers.flasherp, vec!["scheduler", "reconciler"]).await;
    proxies.insert(Between::WorkersAndFlashErp, workers);
    proxies.extend([Between::SchedulerAndFlashErp, Between::ReconcilerAndFlashErp].into_iter().zip(others));
    for between in Between::ALL {
        if let Entry::Vacant(place) = proxies.entry(between) {
            place.insert(Proxy::start(servers.behind(between)).await);
        }
    }
    proxies
}

/// How each service is started, all of its ways leading through proxies.
fn options(
    plan: &Plan,
    servers: &Servers,
    proxies: &BTreeMap<Between, Proxy>,
    sandbox: &Sandbox,
) -> BTreeMap<Process, ServiceOptions> {
    let proxy = |between: Between| proxies.get(&between).expect("it was just started");
    let database = |options: ServiceOptions, between: Between, role: &str| {
        let url = proxy(between).instead_of(servers.database, &plan.database.url_for(role));
        options.env("DATABASE_URL", url)
    };
    let broker = |options: ServiceOptions, between: Between| {
        options.env("NATS_URL", proxy(between).instead_of(servers.broker, &plan.broker.url_for("admin")))
    };
    let stripe = |options: ServiceOptions, between: Between| {
        with_stripe(options, proxy(between).instead_of(servers.flasherp, &sandbox.stripe_url()))
    };
    // Short leases: much of a run is waiting for their ends. (A try begins only with its timeout and 5 s of the lease left.) Enough retries that
    // none run out while a fault lasts; the last pause is also that between two look-ups that fail, so not too many.
    let worker = || {
        let worker = plan.worker().env("SYNC_MAX_RETRIES", "6").env("FLASHERP_TIMEOUT_SECS", "1");
        stripe(worker.env("SYNC_LEASE_SECS", "8"), Between::WorkersAndStripe)
    };
    let base_url = proxy(Between::WorkersAndFlashErp).instead_of(servers.flasherp, &sandbox.api_url());
    let config_api = plan.config_api(&base_url).env("HTTP_ADDR", servers.config_api.to_string());
    let ingress = plan.ingress().env("HTTP_ADDR", servers.ingress.to_string());
    let behind_gateway = |between| proxy(between).address();
    let gateway =
        plan.gateway(behind_gateway(Between::GatewayAndIngress), behind_gateway(Between::GatewayAndConfigApi));
    BTreeMap::from([
        (Process::ConfigApi, database(config_api, Between::ConfigApiAndDatabase, "erp_config_api")),
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
            broker(database(ingress, Between::IngressAndDatabase, "erp_ingress"), Between::IngressAndBroker),
        ),
        (Process::Gateway, gateway.env("HTTP_ADDR", servers.gateway.to_string())),
        (
            Process::Scheduler,
            stripe(
                broker(
                    database(of_jobs(plan), Between::SchedulerAndDatabase, "erp_scheduler"),
                    Between::SchedulerAndBroker,
                ),
                Between::SchedulerAndStripe,
            ),
        ),
        (
            Process::Reconciler,
            broker(
                database(plan.reconciler(), Between::ReconcilerAndDatabase, "erp_reconciler"),
                Between::ReconcilerAndBroker,
            ),
        ),
    ])
}

/// How the one is started that nobody hits, whose ways to database, broker and Stripe are its own.
fn standby(plan: &Plan, sandbox: &Sandbox, process: Process) -> ServiceOptions {
    match process {
        Process::Scheduler => named(with_stripe(of_jobs(plan), sandbox.stripe_url()), "standby-scheduler"),
        Process::Reconciler => named(plan.reconciler(), "standby-reconciler"),
        other => panic!("{other} has no standby"),
    }
}

fn with_stripe(options: ServiceOptions, url: String) -> ServiceOptions {
    options.env("STRIPE_API_KEY", STRIPE_KEY).env("STRIPE_BASE_URL", url)
}

/// A scheduler that fetches what no webhook has told of within seconds: also what a clock that is off by [`flasherp::OFF_MS`] lists late.
fn of_jobs(plan: &Plan) -> ServiceOptions {
    plan.scheduler().env("MISSED_EVENTS_GRACE_SECS", "3").env("MISSED_EVENTS_OVERLAP_SECS", "20")
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
