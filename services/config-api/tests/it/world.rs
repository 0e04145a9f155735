//! The API with what does the work behind it: a sync-worker and a FlashERP.

use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::sandbox::Sandbox;
use testkit::{Scratch, Service, ServiceOptions, TestBroker, TestDatabase};
use uuid::Uuid;

use crate::api::{Answer, Api, DEADLINE};

/// All of it on one database and one prefix of the broker, with an enabled configuration that names the sandbox.
pub(crate) struct World {
    pub(crate) api: Api,
    pub(crate) sandbox: Sandbox,
    /// The superuser's.
    pub(crate) pool: PgPool,
    scratch: Scratch,
    _sandbox: Service,
    worker: Option<Service>,
    reconciler: Option<Service>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_api(|options| options).await
    }

    /// Without a worker yet.
    pub(crate) async fn with_api(change: impl FnOnce(ServiceOptions) -> ServiceOptions) -> Self {
        let (database, broker) = (TestDatabase::new().await, TestBroker::new().await);
        let scratch = Scratch::new().expect("a folder");
        service::bootstrap::install_tls_provider();
        let process =
            Service::start(testkit::service("flasherp-sandbox", scratch.path())).await.expect("the sandbox starts");
        let http = process.addresses().http.expect("the sandbox serves HTTP");
        let sandbox = Sandbox::at(format!("http://{http}"));
        let pool = PgPool::connect(&database.admin_url()).await.expect("the superuser gets in");
        testkit::configure(&pool, &sandbox.api_url()).await;
        let api = Api::start_on(database, broker, |options| {
            change(options.env("ERP_ENCRYPTION_KEYS", testkit::ENCRYPTION_KEYS))
        })
        .await;
        Self { api, sandbox, pool, scratch, _sandbox: process, worker: None, reconciler: None }
    }

    /// Starts a worker, on the broker that the API was told of first.
    pub(crate) async fn start_worker(&mut self) {
        let options = testkit::service("sync-worker", self.scratch.path())
            .env("DATABASE_URL", self.api.database.url_for("erp_sync_worker"))
            .env("NATS_URL", self.api.broker.url())
            .env("NATS_SUBJECT_PREFIX", self.api.broker.prefix())
            .env("ERP_ENCRYPTION_KEYS", testkit::ENCRYPTION_KEYS)
            .env("ERP_ALLOW_PRIVATE_BASE_URL", "true")
            .env("FLASHERP_TIMEOUT_SECS", "5")
            .env("FLASHERP_SETTLE_SECS", "2");
        let mut worker = Service::start(options).await.expect("the worker starts");
        worker.until_ready(DEADLINE).await.expect("the worker gets ready");
        self.worker = Some(worker);
    }

    /// Starts a reconciler.
    pub(crate) async fn start_reconciler(&mut self) {
        let mut options = testkit::service("reconciler", self.scratch.path())
            .env("DATABASE_URL", self.api.database.url_for("erp_reconciler"))
            .env("NATS_URL", self.api.broker.url())
            .env("NATS_SUBJECT_PREFIX", self.api.broker.prefix())
            .env("ERP_ENCRYPTION_KEYS", testkit::ENCRYPTION_KEYS)
            .env("ERP_ALLOW_PRIVATE_BASE_URL", "true")
            .env("FLASHERP_TIMEOUT_SECS", "5");
        options.log = self.scratch.path().join("reconciler.log");
        options.port_file = self.scratch.path().join("reconciler.json");
        let mut reconciler = Service::start(options).await.expect("the reconciler starts");
        reconciler.until_ready(DEADLINE).await.expect("the reconciler gets ready");
        self.reconciler = Some(reconciler);
    }

    /// A user of UpCoach's; its own change asks for a sync too.
    pub(crate) async fn user(&self) -> Uuid {
        let id = Uuid::new_v4();
        sqlx::query("INSERT INTO upcoach.users (id, email, name) VALUES ($1, $1 || '@example.com', 'Ada')")
            .bind(id)
            .execute(&self.pool)
            .await
            .expect("a user");
        id
    }

    /// A payment of that user's.
    pub(crate) async fn payment(&self, user: Uuid, amount: i64, currency: &str) -> Uuid {
        let id = Uuid::new_v4();
        sqlx::query(
            "INSERT INTO upcoach.transactions (id, user_id, type, status, amount, currency) VALUES ($1, $2, 'payment', 'completed', $3, $4)",
        )
        .bind(id)
        .bind(user)
        .bind(amount)
        .bind(currency)
        .execute(&self.pool)
        .await
        .expect("a payment");
        id
    }

    /// A sync in some state; what it is of need not exist.
    pub(crate) async fn sync(&self, kind: &str, status: &str, code: Option<&str>) -> Uuid {
        let id = Uuid::new_v4();
        sqlx::query(
            "INSERT INTO sync.erp_syncs (id, source_type, source_id, sync_status, error_code, last_sync_attempt, lease_owner, lease_until)
             VALUES ($1, $2::text::sync.entity_type, $1, $3::text::sync.sync_status, $4, now(),
                CASE WHEN $3 = 'syncing' THEN $1 END, CASE WHEN $3 = 'syncing' THEN now() + interval '1 hour' END)",
        )
        .bind(id)
        .bind(kind)
        .bind(status)
        .bind(code)
        .execute(&self.pool)
        .await
        .expect("a sync");
        id
    }

    pub(crate) async fn post(&self, path: &str) -> Answer {
        self.api.post(path, &json!({})).await
    }

    /// One value, as the superuser sees it.
    pub(crate) async fn value<T>(&self, statement: &'static str, id: Uuid) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        sqlx::query_scalar(statement).bind(id).fetch_one(&self.pool).await.expect(statement)
    }

    /// The audit rows about something, oldest first: action, operation, who.
    pub(crate) async fn audited(&self, entity: &str) -> Vec<(String, Value, Option<String>)> {
        sqlx::query_as(
            "SELECT action::text, metadata -> 'operation', performed_by FROM audit.erp_audit_logs WHERE entity_id = $1 ORDER BY created_at, id",
        )
        .bind(entity)
        .fetch_all(&self.pool)
        .await
        .expect("audit rows")
    }

    pub(crate) async fn stop(mut self) {
        for mut service in [self.worker.take(), self.reconciler.take()].into_iter().flatten() {
            assert_eq!(service.stop().await.expect("it stops"), "exit status: 0");
        }
        self.api.stop().await;
    }
}
