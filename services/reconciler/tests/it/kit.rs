//! A reconciler's surroundings: database, broker, a sandbox whose records agree with UpCoach's, configuration; and what the tests ask of them.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::EntityType;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction};
use testkit::ledger::{Entry, Ledger};
use testkit::sandbox::Sandbox;
use testkit::{
    PrivateDatabase, Scratch, Service, ServiceOptions, TestBroker, TestDatabase, eventually, eventually_some,
};
use time::OffsetDateTime;
use uuid::Uuid;

/// How long anything may take that these tests wait for.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// On a server of its own it can be killed.
enum Database {
    Shared(TestDatabase),
    Own(PrivateDatabase),
}

/// What a test has to itself.
pub(crate) struct World {
    database: Database,
    pub(crate) broker: TestBroker,
    pub(crate) sandbox: Sandbox,
    pub(crate) ledger: Ledger,
    /// As the superuser, for looking and for changing behind everybody's back.
    pub(crate) pool: PgPool,
    scratch: Scratch,
    _sandbox: Service,
}

/// A run that has ended.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Ended {
    pub(crate) id: Uuid,
    pub(crate) status: String,
    pub(crate) proven: Option<bool>,
    pub(crate) error: Option<String>,
    pub(crate) totals: Value,
    pub(crate) heals_requested: i32,
}

impl Ended {
    /// A count of the transactions.
    pub(crate) fn count(&self, name: &str) -> i64 {
        self.count_of(EntityType::Transaction, name)
    }

    /// A count of a type.
    pub(crate) fn count_of(&self, kind: EntityType, name: &str) -> i64 {
        let of = self.of(kind);
        of[name].as_i64().unwrap_or_else(|| panic!("no {name} in {of}"))
    }

    /// The control totals of a type by currency: ours, theirs, and what the findings differ by.
    pub(crate) fn sums(&self, kind: EntityType) -> BTreeMap<String, [i64; 3]> {
        let currencies = self.of(kind)["currencies"].as_object().expect("sums");
        let sum = |of: &Value, name: &str| of[name].as_i64().unwrap_or_else(|| panic!("no {name} in {of}"));
        currencies
            .iter()
            .map(|(code, of)| (code.clone(), ["ours", "theirs", "classified"].map(|name| sum(of, name))))
            .collect()
    }

    fn of(&self, kind: EntityType) -> &Value {
        let types = self.totals["types"].as_array().expect("types");
        let of = types.iter().find(|of| of["entityType"] == kind.as_str());
        of.unwrap_or_else(|| panic!("no {kind:?} were compared: {}", self.totals))
    }
}

impl World {
    /// With so many transactions on both sides, alike.
    pub(crate) async fn new(transactions: u32) -> Self {
        Self::on(Database::Shared(TestDatabase::new().await), Ledger::of(transactions)).await
    }

    /// With so many records of each type on both sides, alike, and all types kept in step.
    pub(crate) async fn of_each(records: u32) -> Self {
        let world = Self::on(Database::Shared(TestDatabase::new().await), Ledger::of_each(records)).await;
        sqlx::query(r#"UPDATE config.erp_configurations SET sync_scope = sync_scope || '{"invoices": true}'"#)
            .execute(&world.pool)
            .await
            .expect("invoices too");
        world
    }

    /// With a PostgreSQL of its own.
    pub(crate) async fn with_own_database(transactions: u32) -> Self {
        Self::on(Database::Own(PrivateDatabase::start().await), Ledger::of(transactions)).await
    }

    async fn on(database: Database, ledger: Ledger) -> Self {
        let (broker, scratch) = (TestBroker::new().await, Scratch::new().expect("a folder"));
        let pool = PgPool::connect(&database.admin_url()).await.expect("the superuser gets in");
        let file = scratch.path().join("flasherp.snapshot");
        ledger.write(&pool, &file).await;
        let options = testkit::service("flasherp-sandbox", scratch.path())
            .env("SANDBOX_SNAPSHOT_FILE", file.to_str().expect("a plain path"));
        let mut process = Service::start(options).await.expect("the sandbox starts");
        process.until_ready(SOON).await.expect("the sandbox has read its records");
        let http = process.addresses().http.expect("the sandbox serves HTTP");
        let sandbox = Sandbox::at(format!("http://{http}"));
        testkit::configure(&pool, &sandbox.api_url()).await;
        Self { database, broker, sandbox, ledger, pool, scratch, _sandbox: process }
    }

    /// Its PostgreSQL, to be killed.
    pub(crate) fn own_database(&mut self) -> &mut PrivateDatabase {
        match &mut self.database {
            Database::Own(database) => database,
            Database::Shared(_) => panic!("this test shares its PostgreSQL"),
        }
    }

    pub(crate) fn options(&self, program: &str, name: &str, role: &str) -> ServiceOptions {
        let mut options = testkit::service(program, self.scratch.path())
            .env("DATABASE_URL", self.database.url_for(role))
            .env("NATS_URL", self.broker.url())
            .env("NATS_SUBJECT_PREFIX", self.broker.prefix())
            .env("ERP_ENCRYPTION_KEYS", testkit::ENCRYPTION_KEYS)
            .env("ERP_ALLOW_PRIVATE_BASE_URL", "true")
            .env("FLASHERP_TIMEOUT_SECS", "5")
            .env("RUST_LOG", "info");
        options.port_file = self.scratch.path().join(format!("{name}.json"));
        options.log = self.scratch.path().join(format!("{name}.log"));
        options
    }

    pub(crate) fn reconciler_options(&self, name: &str) -> ServiceOptions {
        self.options("reconciler", name, "erp_reconciler")
            .env("RECONCILIATION_LEASE_SECS", "4")
            .env("RECONCILIATION_PATIENCE_SECS", "3")
    }

    pub(crate) async fn reconciler(&self) -> Service {
        self.start(self.reconciler_options("reconciler")).await
    }

    pub(crate) async fn worker(&self) -> Service {
        let options = self.options("sync-worker", "worker", "erp_sync_worker");
        self.start(options.env("FLASHERP_SETTLE_SECS", "1").env("SYNC_LEASE_SECS", "20")).await
    }

    /// Starts a service and waits until it is ready.
    pub(crate) async fn start(&self, options: ServiceOptions) -> Service {
        let mut service = Service::start(options).await.unwrap_or_else(|error| panic!("{error}"));
        service.until_ready(SOON).await.unwrap_or_else(|error| panic!("{error}"));
        service
    }

    /// Asks for a run over the whole ledger and what has been made until now.
    pub(crate) async fn ask(&self, types: &[&str], auto_heal: bool, cutoff_secs: i32) -> Uuid {
        let to = OffsetDateTime::now_utc() + time::Duration::HOUR;
        sqlx::query_scalar("SELECT reconciliation.request($1, $2, $3::text[]::sync.entity_type[], $4, $5, 'ada', NULL)")
            .bind(to - time::Duration::days(90))
            .bind(to)
            .bind(types)
            .bind(auto_heal)
            .bind(cutoff_secs)
            .fetch_one(&self.pool)
            .await
            .expect("a run is asked for")
    }

    /// The run, once it has ended.
    pub(crate) async fn ended(&self, run: Uuid) -> Ended {
        self.ended_within(run, SOON).await
    }

    pub(crate) async fn ended_within(&self, run: Uuid, limit: Duration) -> Ended {
        eventually_some(limit, "the run has ended", || async {
            sqlx::query_as(
                "SELECT id, status::text, proven, error, totals, heals_requested FROM reconciliation.runs
                 WHERE id = $1 AND finished_at IS NOT NULL",
            )
            .bind(run)
            .fetch_optional(&self.pool)
            .await
            .unwrap_or_default()
        })
        .await
    }

    /// Runs one over the transactions, with nothing left out but what changes while it runs.
    pub(crate) async fn reconcile(&self) -> Ended {
        let run = self.ask(&["transaction"], false, 0).await;
        self.ended(run).await
    }

    /// How many findings of each class a run has that nobody has decided on.
    pub(crate) async fn open(&self, run: Uuid) -> BTreeMap<String, i64> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT class::text, count(*) FROM reconciliation.findings WHERE run_id = $1 AND decision = 'open' GROUP BY class",
        )
        .bind(run)
        .fetch_all(&self.pool)
        .await
        .expect("findings");
        rows.into_iter().collect()
    }

    pub(crate) async fn count(&self, statement: &'static str) -> i64 {
        sqlx::query_scalar(statement).fetch_one(&self.pool).await.unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    /// Changes something of one transaction here.
    pub(crate) async fn change(&self, statement: &'static str, entry: &Entry) {
        sqlx::query(statement)
            .bind(entry.id)
            .execute(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    /// Changes a field of one transaction in FlashERP.
    pub(crate) async fn edit(&self, entry: &Entry, fields: Value) {
        self.sandbox.edit_record("transactions", &entry.target, fields).await;
    }

    /// Another record in FlashERP with this reference.
    pub(crate) async fn create(&self, entry: &Entry, reference: Uuid) -> String {
        let fields = json!({
            "customerId": entry.customer, "amount": 7, "currency": "EUR", "status": "completed", "type": "payment",
            "upcoachReference": reference,
        });
        self.sandbox.create_record("transactions", fields).await.id()
    }

    /// Keeps a table from being read or written until this ends.
    pub(crate) async fn lock(&self, table: &str, mode: &str) -> Transaction<'static, Postgres> {
        let mut holding = self.pool.begin().await.expect("a transaction");
        sqlx::query(AssertSqlSafe(format!("LOCK TABLE {table} IN {mode} MODE")))
            .execute(&mut *holding)
            .await
            .expect("locked");
        holding
    }

    /// Until somebody waits for a lock.
    pub(crate) async fn somebody_waits(&self) {
        let waiting = "SELECT count(*) FROM pg_locks
            WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        eventually(SOON, "somebody waits for a lock", || async { self.count(waiting).await > 0 }).await;
    }

    /// From here on FlashERP's clock is two hours behind: what is changed there is changed well before the cut-off.
    pub(crate) async fn long_ago(&self) {
        self.sandbox.set_clock_ahead(-7_200_000).await;
    }

    pub(crate) async fn now(&self) {
        self.sandbox.set_clock_ahead(0).await;
    }
}

impl Database {
    fn admin_url(&self) -> String {
        match self {
            Self::Shared(database) => database.admin_url(),
            Self::Own(database) => database.admin_url(),
        }
    }

    fn url_for(&self, role: &str) -> String {
        match self {
            Self::Shared(database) => database.url_for(role),
            Self::Own(database) => database.url_for(role),
        }
    }
}
