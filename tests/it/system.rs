//! A whole system: PostgreSQL, NATS and the sandbox, config-api, ingress and a worker, each a process that can be killed.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use testkit::sandbox::{Sandbox, StripeProgress, StripeSend};
use testkit::{PrivateBroker, PrivateDatabase, Scratch, Service, ServiceOptions, eventually};

/// How long anything may take that these tests wait for.
pub(crate) const LONG: Duration = Duration::from_secs(150);

/// What the sandbox's Stripe lets in.
pub(crate) const STRIPE_KEY: &str = "sk_test_of_system_tests";
const STRIPE_SECRET: &str = "whsec_system_tests_only_0123456789";
/// What FlashERP signs its webhooks with.
pub(crate) const FLASHERP_SECRET: &str = "flasherp_webhook_secret_of_tests";
/// How long a call to FlashERP takes when nothing is wrong.
pub(crate) const FLASHERP_LATENCY: Duration = Duration::from_millis(20);
const KEYS: &str = "test:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// A running system, each part on a port that it keeps over restarts.
pub(crate) struct System {
    pub(crate) database: PrivateDatabase,
    pub(crate) broker: PrivateBroker,
    pub(crate) sandbox: Sandbox,
    pub(crate) ingress: Service,
    pub(crate) worker: Service,
    pub(crate) config_api: Service,
    /// How ingress was started, to start it otherwise.
    pub(crate) ingress_options: ServiceOptions,
    /// How the worker was started.
    pub(crate) worker_options: ServiceOptions,
    _flasherp: Service,
    _scratch: Scratch,
}

/// What is about to be started, so that a test can change it.
pub(crate) struct Plan {
    pub(crate) database: PrivateDatabase,
    pub(crate) broker: PrivateBroker,
    scratch: Scratch,
}

impl Plan {
    pub(crate) async fn new() -> Self {
        let scratch = Scratch::new().expect("a folder");
        Self { database: PrivateDatabase::start().await, broker: PrivateBroker::start().await, scratch }
    }

    /// With the data of database and broker in `folder`.
    pub(crate) async fn on(folder: &Path) -> Self {
        let scratch = Scratch::new().expect("a folder");
        let (database, broker) = (PrivateDatabase::start_in(folder).await, PrivateBroker::start_in(folder).await);
        Self { database, broker, scratch }
    }

    /// A service under its own role.
    pub(crate) fn service(&self, name: &str, role: &str) -> ServiceOptions {
        testkit::service(name, self.scratch.path())
            .env("DATABASE_URL", self.database.url_for(role))
            .env("NATS_URL", self.broker.url_for("admin"))
            .env("ERP_ENCRYPTION_KEYS", KEYS)
            // Shorter than in production, as the other times here.
            .env("ERP_DB_IDLE_SESSION_TIMEOUT_SECS", "15")
            .env("RUST_LOG", "info")
    }

    pub(crate) fn ingress(&self) -> ServiceOptions {
        self.service("ingress", "erp_ingress")
            .env("HTTP_ADDR", free_address().to_string())
            .env("STRIPE_WEBHOOK_SECRET", STRIPE_SECRET)
            .env("WEBHOOK_RATE_LIMIT_STRIPE", "0")
            .env("WEBHOOK_RATE_LIMIT_FLASHERP", "0")
    }

    /// With short times, so that what was in a killed worker's hands comes back soon.
    pub(crate) fn worker(&self) -> ServiceOptions {
        self.service("sync-worker", "erp_sync_worker")
            .env("ERP_ALLOW_PRIVATE_BASE_URL", "true")
            .env("FLASHERP_TIMEOUT_SECS", "2")
            .env("FLASHERP_SETTLE_SECS", "3")
            .env("SYNC_LEASE_SECS", "8")
            .env("CIRCUIT_RESET_SECS", "1")
            .env("SYNC_RETRY_BASE_SECS", "1")
    }

    pub(crate) fn config_api(&self, base_url: &str) -> ServiceOptions {
        self.service("config-api", "erp_config_api")
            .envs(testkit::tokens::environment())
            .env("ERP_ALLOW_PRIVATE_BASE_URL", "true")
            .env("FLASHERP_ENABLED", "true")
            .env("FLASHERP_API_KEY", "sandbox-key")
            .env("FLASHERP_API_SECRET", "sandbox-secret")
            .env("FLASHERP_BASE_URL", base_url)
            .env("FLASHERP_WEBHOOK_SECRET", FLASHERP_SECRET)
    }

    /// With short times, so that another one soon takes over what a killed one had in hand.
    pub(crate) fn scheduler(&self) -> ServiceOptions {
        self.service("scheduler", "erp_scheduler")
            .env("ERP_ALLOW_PRIVATE_BASE_URL", "true")
            .env("FLASHERP_TIMEOUT_SECS", "2")
            .env("FLASHERP_SETTLE_SECS", "3")
            .env("CIRCUIT_RESET_SECS", "1")
            .env("JOB_LEASE_SECS", "5")
    }

    /// With short times, as the scheduler.
    pub(crate) fn reconciler(&self) -> ServiceOptions {
        self.service("reconciler", "erp_reconciler")
            .env("ERP_ALLOW_PRIVATE_BASE_URL", "true")
            .env("FLASHERP_TIMEOUT_SECS", "2")
            .env("CIRCUIT_RESET_SECS", "1")
            .env("RECONCILIATION_LEASE_SECS", "5")
            .env("RECONCILIATION_PATIENCE_SECS", "20")
    }

    /// In front of these two.
    pub(crate) fn gateway(&self, ingress: SocketAddr, config_api: SocketAddr) -> ServiceOptions {
        testkit::service("gateway", self.scratch.path())
            .envs(testkit::tokens::environment())
            .env("HTTP_ADDR", free_address().to_string())
            .env("INGRESS_URL", format!("http://{ingress}"))
            .env("CONFIG_API_URL", format!("http://{config_api}"))
            .env("GATEWAY_RATE_LIMIT", "0")
            .env("RUST_LOG", "info")
    }

    pub(crate) async fn flasherp(&self) -> Service {
        let options = testkit::service("flasherp-sandbox", self.scratch.path())
            .env("STRIPE_WEBHOOK_SECRET", STRIPE_SECRET)
            .env("STRIPE_API_KEY", STRIPE_KEY)
            .env("SANDBOX_LATENCY_MS", FLASHERP_LATENCY.as_millis().to_string());
        Service::start(options).await.expect("the sandbox starts")
    }

    /// What a system of another shape is made from; the folder is to be kept for as long as it runs.
    pub(crate) fn into_parts(self) -> (PrivateDatabase, PrivateBroker, Scratch) {
        (self.database, self.broker, self.scratch)
    }

    pub(crate) async fn start(self) -> System {
        let flasherp = self.flasherp().await;
        let sandbox = Sandbox::at(flasherp.url(""));
        let config_api = Service::start(self.config_api(&sandbox.api_url())).await.expect("config-api starts");
        let (ingress_options, worker_options) = (self.ingress(), self.worker());
        let worker = Service::start(worker_options.clone()).await.expect("the worker starts");
        let ingress = Service::start(ingress_options.clone()).await.expect("ingress starts");
        let Self { database, broker, scratch } = self;
        let mut system = System {
            database,
            broker,
            sandbox,
            ingress,
            worker,
            config_api,
            ingress_options,
            worker_options,
            _flasherp: flasherp,
            _scratch: scratch,
        };
        for service in [&mut system.config_api, &mut system.worker, &mut system.ingress] {
            service.until_ready(LONG).await.expect("ready");
        }
        system
    }
}

impl System {
    pub(crate) async fn new() -> Self {
        Plan::new().await.start().await
    }

    /// Begins to send so many stories: a customer and a payment each, shuffled, one in ten events twice.
    pub(crate) async fn send(&self, stories: u32, per_second: u32) -> u64 {
        let send = StripeSend {
            count: stories,
            seed: Some(7),
            rate_per_second: Some(per_second),
            concurrency: Some(32),
            target: Some(self.ingress.url("/api/webhooks/stripe")),
            shuffle: true,
            duplicate_rate: Some(0.1),
            deadline_secs: Some(LONG.as_secs()),
            timeout_ms: Some(5_000),
            payments_per_customer: Some(1),
            kinds: Some(vec!["customer".to_owned(), "payment".to_owned()]),
            ..StripeSend::default()
        };
        self.sandbox.send_stripe(&send).await.id
    }

    /// Waits until so many events of a send have been accepted.
    pub(crate) async fn accepted(&self, send: u64, events: u64) {
        eventually(LONG, "events are accepted", || async {
            self.sandbox.stripe_progress(send).await.accepted >= events
        })
        .await;
    }

    /// Waits for the end of a send and for everything to be in step; holds that every accepted payment is one transaction in
    /// FlashERP and nothing else is there.
    pub(crate) async fn ends_with_every_payment_once(&self, send: u64) -> StripeProgress {
        let progress = self.sandbox.wait_send_done(send, LONG).await;
        assert_eq!(progress.failed, 0, "given up: {:?}", progress.last_error);
        assert_eq!(progress.accepted, progress.events);
        let pool = self.database.pool("erp_owner").await;
        eventually(LONG, "every payment is in FlashERP and in step", || async {
            let left: i64 = sqlx::query_scalar(
                "SELECT (SELECT count(*) FROM ingress.webhook_events WHERE status <> 'applied')
                    + (SELECT count(*) FROM sync.requests)
                    + (SELECT count(*) FROM sync.erp_syncs WHERE sync_status <> 'synced')",
            )
            .fetch_one(&pool)
            .await
            .unwrap_or(-1);
            left == 0 && self.sandbox.counters().await.records_of("transactions") >= progress.payments
        })
        .await;
        let stored: i64 =
            sqlx::query_scalar("SELECT count(*) FROM ingress.webhook_events").fetch_one(&pool).await.expect("a count");
        assert_eq!(
            u64::try_from(stored).expect("a count"),
            progress.events - progress.repeats,
            "events stored once each"
        );
        let counters = self.sandbox.counters().await;
        assert_eq!(counters.doubled(), 0, "doubled: {:?}", self.sandbox.duplicates().await);
        assert_eq!(counters.records_of("transactions"), progress.payments);
        assert_eq!(counters.records_of("customers"), progress.stories);
        // and they are the same ones, not just as many
        let ours: std::collections::BTreeSet<String> = sqlx::query_scalar("SELECT id::text FROM upcoach.transactions")
            .fetch_all(&pool)
            .await
            .expect("our transactions")
            .into_iter()
            .collect();
        let theirs =
            self.sandbox.records("transactions").await.iter().map(testkit::sandbox::Record::reference).collect();
        assert_eq!(ours, theirs);
        pool.close().await;
        progress
    }
}

/// A free port to stay on over restarts.
pub(crate) fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address")
}
