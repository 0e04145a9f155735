//! A worker's surroundings: database, broker, sandbox, configuration; and what the tests ask of them.

use std::sync::Arc;
use std::time::Duration;

use domain::upcoach::UpcoachMode;
use domain::{EntityType, SourceSystem, SyncId, stripe_uuid};
use flasherp::{GateSettings, SharedGate};
use secrecy::SecretString;
use secrets::{Keyring, Place};
use serde_json::{Value, json};
use sqlx::PgPool;
use syncs::StoredConfiguration;
use syncs::preview::Previews;
use testkit::sandbox::Sandbox;
use testkit::{Platform, Scratch, Service, ServiceOptions, TestBroker, TestDatabase, eventually};
use time::OffsetDateTime;
use uuid::Uuid;

/// How long anything may take that these tests wait for.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// What the sandbox's Stripe lets in.
pub(crate) const STRIPE_KEY: &str = "sk_test_of_the_test";

const KEYS: &str = testkit::ENCRYPTION_KEYS;

/// A database, broker and sandbox of a test's own.
pub(crate) struct World {
    pub(crate) database: TestDatabase,
    pub(crate) broker: TestBroker,
    pub(crate) sandbox: Sandbox,
    /// As the superuser, for looking.
    pub(crate) pool: PgPool,
    /// UpCoach, as it writes its own records.
    pub(crate) platform: Platform,
    scratch: Scratch,
    _sandbox: Service,
}

impl World {
    /// With an enabled configuration that names the sandbox.
    pub(crate) async fn new() -> Self {
        Self::in_mode(UpcoachMode::Tables).await
    }

    /// With UpCoach's records where this mode has them.
    pub(crate) async fn in_mode(mode: UpcoachMode) -> Self {
        let (database, broker, scratch) =
            (TestDatabase::new().await, TestBroker::new().await, Scratch::new().expect("a folder"));
        let options = testkit::service("flasherp-sandbox", scratch.path())
            .env("STRIPE_API_KEY", STRIPE_KEY)
            .env("STRIPE_WEBHOOK_SECRET", "whsec_of_the_test");
        let process = Service::start(options).await.expect("the sandbox starts");
        let http = process.addresses().http.expect("the sandbox serves HTTP");
        let sandbox = Sandbox::at(format!("http://{http}"));
        let pool = PgPool::connect(&database.admin_url()).await.expect("the superuser gets in");
        let platform = Platform::new(&database, mode).await;
        let world = Self { database, broker, sandbox, pool, platform, scratch, _sandbox: process };
        testkit::configure(&world.pool, &world.sandbox.api_url()).await;
        world
    }

    /// Lets the configuration lead elsewhere, as an admin would.
    pub(crate) async fn set_base_url(&self, url: &str) {
        sqlx::query("UPDATE config.erp_configurations SET base_url = $1")
            .bind(url)
            .execute(&self.pool)
            .await
            .expect("another base URL");
    }

    /// Puts another API key into the configuration, as an admin would.
    pub(crate) async fn set_api_key(&self, key: &str) {
        let row: Uuid = sqlx::query_scalar("SELECT id FROM config.erp_configurations")
            .fetch_one(&self.pool)
            .await
            .expect("the configuration row");
        let place = Place { table: "config.erp_configurations", row, column: "api_key_enc" };
        let sealed = Keyring::parse(KEYS).expect("a keyring").encrypt(&place, &SecretString::from(key));
        sqlx::query("UPDATE config.erp_configurations SET api_key_enc = $1")
            .bind(sealed)
            .execute(&self.pool)
            .await
            .expect("another key");
    }

    /// A worker with short times, to be started; later variables win over earlier ones.
    pub(crate) fn worker_options(&self, name: &str) -> ServiceOptions {
        let mut options = testkit::service("sync-worker", self.scratch.path())
            .env("DATABASE_URL", self.database.url_for("erp_sync_worker"))
            .env("NATS_URL", self.broker.url())
            .env("NATS_SUBJECT_PREFIX", self.broker.prefix())
            .env("ERP_ENCRYPTION_KEYS", KEYS)
            .env("ERP_ALLOW_PRIVATE_BASE_URL", "true")
            .env("FLASHERP_TIMEOUT_SECS", "1")
            .env("FLASHERP_SETTLE_SECS", "2")
            .env("SYNC_LEASE_SECS", "8")
            .env("SYNC_RETRY_BASE_SECS", "1")
            .env("CIRCUIT_RESET_SECS", "1")
            .env("UPCOACH_MODE", self.platform.mode.as_str())
            .env("RUST_LOG", "info");
        options.port_file = self.scratch.path().join(format!("{name}.json"));
        options.log = self.scratch.path().join(format!("{name}.log"));
        options
    }

    /// A running worker.
    pub(crate) async fn worker(&self) -> Service {
        Service::start(self.worker_options("worker")).await.expect("the worker starts")
    }

    /// The database goes back to a backup of it. Nobody may be at work on it.
    pub(crate) async fn restore(&mut self, backup: TestDatabase) {
        self.pool.close().await;
        self.database = backup;
        self.pool = PgPool::connect(&self.database.admin_url()).await.expect("the superuser gets in");
    }

    /// A copy of the database as it is now. Nobody may be at work on it.
    pub(crate) async fn backup(&mut self) -> TestDatabase {
        self.pool.close().await;
        let copy = self.database.copy().await;
        self.pool = PgPool::connect(&self.database.admin_url()).await.expect("the superuser gets in");
        copy
    }

    /// Runs `erpctl`, which must succeed; what it printed.
    pub(crate) fn erpctl(&self, args: &[&str]) -> String {
        let output = std::process::Command::new(testkit::binary("erpctl"))
            .args(args)
            .env_clear()
            .env("DATABASE_URL", self.database.url_for("erp_owner"))
            .env("ERP_ENCRYPTION_KEYS", KEYS)
            .env("ERP_ALLOW_PRIVATE_BASE_URL", "true")
            .env("FLASHERP_SETTLE_SECS", "2")
            .output()
            .expect("erpctl runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "erpctl {args:?}: {told}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Previews as config-api makes them.
    pub(crate) async fn previews(&self) -> Previews {
        let pool = self.database.pool("erp_config_api").await;
        let stored = StoredConfiguration::load(&self.pool).await.expect("readable").expect("a configuration");
        let options = stored.options(&Keyring::parse(KEYS).expect("a keyring")).expect("usable");
        let gate = SharedGate::start(pool.clone(), GateSettings::default(), Arc::new(|_| {}));
        let options = flasherp::Options { allow_private: true, ..options };
        let client = flasherp::Client::with(options, gate.of_version(stored.version()), None).expect("a client");
        Previews { pool, client, scope: stored.scope(), adopted_at: stored.adopted_at() }
    }

    /// A worker that may ask the sandbox's Stripe.
    pub(crate) fn asking_worker_options(&self, name: &str) -> ServiceOptions {
        self.worker_options(name).env("STRIPE_API_KEY", STRIPE_KEY).env("STRIPE_BASE_URL", self.sandbox.stripe_url())
    }

    /// Stores events as ingress does, without a hint.
    pub(crate) async fn store(&self, events: &[Value]) {
        for event in events {
            let body = serde_json::to_vec(event).expect("an event serialises");
            sqlx::query(
                "SELECT ingress.store(ARRAY['stripe']::ingress.source[], ARRAY[$1]::uuid[], ARRAY[$2], ARRAY[$3], ARRAY[$4]::bytea[],
                    ARRAY[now()], ARRAY['127.0.0.1'], ARRAY['Stripe/1.0'], ARRAY[$1]::uuid[], ARRAY[NULL]::text[],
                    ARRAY['received']::ingress.event_status[], ARRAY[NULL]::text[])",
            )
            .bind(Uuid::now_v7())
            .bind(event["id"].as_str())
            .bind(event["type"].as_str())
            .bind(body)
            .execute(&self.pool)
            .await
            .expect("the event is stored");
        }
    }

    /// Waits until no event is waiting to be applied.
    pub(crate) async fn all_settled(&self) {
        eventually(SOON, "every event has left the queue", || async {
            self.count("SELECT count(*) FROM ingress.webhook_events WHERE status = 'received'").await == 0
        })
        .await;
    }

    /// Waits until nothing is asked for and every sync is synced.
    pub(crate) async fn all_synced(&self) {
        eventually(SOON, "every record is in step", || async {
            self.count("SELECT count(*) FROM sync.requests").await == 0
                && self.count("SELECT count(*) FROM sync.erp_syncs WHERE sync_status <> 'synced'").await == 0
        })
        .await;
    }

    /// Waits until the transaction's sync has this status; answers its row.
    pub(crate) async fn sync_becomes(&self, id: SyncId, status: &str) -> SyncRow {
        testkit::eventually_some(SOON, &format!("sync {id} is {status}"), || async {
            self.sync(id).await.filter(|row| row.sync_status == status)
        })
        .await
    }

    pub(crate) async fn sync(&self, id: SyncId) -> Option<SyncRow> {
        sqlx::query_as(
            "SELECT sync_status::text, target_id, error_code, error_message, retry_count, outcome::text, due_at, waits_for
             FROM sync.erp_syncs WHERE id = $1",
        )
        .bind(id.as_uuid())
        .fetch_optional(&self.pool)
        .await
        .expect("the sync row can be read")
    }

    pub(crate) async fn count(&self, statement: &'static str) -> i64 {
        sqlx::query_scalar(statement).fetch_one(&self.pool).await.expect("a count")
    }

    pub(crate) async fn run(&self, statement: &'static str) {
        sqlx::query(statement).execute(&self.pool).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    /// A user of UpCoach's own, as its platform would insert it.
    pub(crate) async fn insert_user(&self, email: Option<&str>) -> Uuid {
        self.platform.insert_user(email, "Ada").await
    }

    /// A completed payment in dollars.
    pub(crate) async fn insert_payment(&self, user: Uuid, cents: i64) -> Uuid {
        self.platform.insert_payment(user, "completed", cents, "usd", None).await
    }

    /// Every transaction in FlashERP carries a reference that no other carries, and there are so many.
    pub(crate) async fn flasherp_has_each_once(&self, transactions: u64) {
        let counters = self.sandbox.counters().await;
        assert_eq!(self.sandbox.duplicates().await.values().flatten().count(), 0, "records doubled in FlashERP");
        assert_eq!(counters.records_of("transactions"), transactions);
    }
}

/// What the tests look at in a sync row.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct SyncRow {
    pub(crate) sync_status: String,
    pub(crate) target_id: Option<String>,
    pub(crate) error_code: Option<String>,
    pub(crate) error_message: Option<String>,
    pub(crate) retry_count: i32,
    pub(crate) outcome: String,
    pub(crate) due_at: Option<OffsetDateTime>,
    pub(crate) waits_for: Option<Uuid>,
}

pub(crate) fn transaction_sync(id: Uuid) -> SyncId {
    SyncId::of(SourceSystem::Upcoach, EntityType::Transaction, id)
}

pub(crate) fn customer_sync(id: Uuid) -> SyncId {
    SyncId::of(SourceSystem::Upcoach, EntityType::Customer, id)
}

/// The transaction of payment intent `pi_<n>`.
pub(crate) fn payment(n: u32) -> Uuid {
    stripe_uuid(&format!("pi_{n}"))
}

/// `customer.created` of `cus_<n>`, made at second `at`.
pub(crate) fn customer_created(n: u32, at: i64) -> Value {
    customer_event("created", n, at, &format!("c{n}@example.com"))
}

/// A customer event of `cus_<n>`.
pub(crate) fn customer_event(what: &str, n: u32, at: i64, email: &str) -> Value {
    json!({
        "id": format!("evt_cus_{n}_{what}_{at}"), "object": "event", "type": format!("customer.{what}"), "created": at,
        "livemode": false, "api_version": "2025-09-30.clover",
        "data": {"object": {"id": format!("cus_{n}"), "object": "customer", "email": email, "name": format!("C {n}"),
            "metadata": {}, "created": 1_700_000_000}},
    })
}

/// A payment intent event of `pi_<n>` by `cus_<customer>`.
pub(crate) fn payment_event(what: &str, n: u32, customer: u32, at: i64, cents: i64) -> Value {
    let status = if what == "succeeded" { "succeeded" } else { "requires_payment_method" };
    json!({
        "id": format!("evt_pi_{n}_{what}_{at}"), "object": "event", "type": format!("payment_intent.{what}"), "created": at,
        "livemode": false, "api_version": "2025-09-30.clover",
        "data": {"object": {"id": format!("pi_{n}"), "object": "payment_intent", "amount": cents, "amount_received": cents,
            "currency": "usd", "customer": format!("cus_{customer}"), "status": status, "latest_charge": format!("ch_{n}"),
            "payment_method_types": ["card"], "description": "Coaching", "metadata": {}, "created": 1_700_000_000}},
    })
}
