//! What benches of the outbound path stand on: PostgreSQL, NATS and a sandbox of their own, which end with them, and a configuration that points
//! the one at the other.

use std::path::Path;
use std::time::Duration;

use local_stack::ServiceOptions;
use sqlx::PgPool;
use testkit::sandbox::Sandbox;
use testkit::{PrivateBroker, PrivateDatabase, Scratch, Service, service as program};

/// How long anything may take that a bench waits for.
pub const WITHIN: Duration = Duration::from_secs(300);
const STRIPE_SECRET: &str = "whsec_benches_only_0123456789";
const KEYS: &str = "bench:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// The parts, running.
pub struct Stand {
    /// PostgreSQL with the migrated database.
    pub database: PrivateDatabase,
    /// Of a superuser.
    pub pool: PgPool,
    /// FlashERP.
    pub sandbox: Sandbox,
    /// The process that serves it.
    pub sandbox_process: Service,
    broker: PrivateBroker,
    scratch: Scratch,
}

impl Stand {
    /// Starts the parts and makes the configuration. The statements are counted by pg_stat_statements.
    ///
    /// # Errors
    /// A part does not start.
    pub async fn start() -> anyhow::Result<Self> {
        let scratch = Scratch::new()?;
        let mut database = PrivateDatabase::start().await;
        count_statements(&mut database).await?;
        let broker = PrivateBroker::start().await;
        let options = program("flasherp-sandbox", scratch.path()).env("STRIPE_WEBHOOK_SECRET", STRIPE_SECRET);
        let mut sandbox_process = Service::start(options).await?;
        sandbox_process.until_ready(WITHIN).await?;
        let pool = database.pool("postgres").await;
        let sandbox = Sandbox::at(sandbox_process.url(""));
        let stand = Self { database, pool, sandbox, sandbox_process, broker, scratch };
        stand.configure().await?;
        Ok(stand)
    }

    /// A folder for what is needed until the end.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Starts a worker, of the outbound role unless the settings say otherwise; `name` tells it from others.
    ///
    /// # Errors
    /// It does not become ready.
    pub async fn worker(&self, name: &str, settings: &[(&str, String)]) -> anyhow::Result<Service> {
        let options = settings.iter().fold(
            self.options("sync-worker", name, "erp_sync_worker").env("SYNC_WORKER_ROLES", "outbound"),
            |options, (setting, value)| options.env(setting, value),
        );
        let mut worker = Service::start(options).await?;
        worker.until_ready(WITHIN).await?;
        Ok(worker)
    }

    /// Starts an ingress that takes what the sandbox's Stripe sends, as fast as it comes.
    ///
    /// # Errors
    /// It does not become ready.
    pub async fn ingress(&self) -> anyhow::Result<Service> {
        let options = self
            .options("ingress", "ingress", "erp_ingress")
            .env("STRIPE_WEBHOOK_SECRET", STRIPE_SECRET)
            .env("WEBHOOK_RATE_LIMIT_STRIPE", "0");
        let mut ingress = Service::start(options).await?;
        ingress.until_ready(WITHIN).await?;
        Ok(ingress)
    }

    /// Lets config-api make the first configuration, as it does in production.
    async fn configure(&self) -> anyhow::Result<()> {
        let options = self
            .options("config-api", "config-api", "erp_config_api")
            .envs(testkit::tokens::environment())
            .env("FLASHERP_ENABLED", "true")
            .env("FLASHERP_API_KEY", "sandbox-key")
            .env("FLASHERP_API_SECRET", "sandbox-secret")
            .env("FLASHERP_BASE_URL", self.sandbox_process.url("/v1"));
        let mut config_api = Service::start(options).await?;
        config_api.until_ready(WITHIN).await?;
        // Nothing of these tables was there before FlashERP was: no look-up before each create.
        let adopt = "UPDATE config.erp_configurations SET adopted_at = now()";
        testkit::eventually(WITHIN, "the first configuration is made", || async {
            sqlx::query(adopt).execute(&self.pool).await.is_ok_and(|done| done.rows_affected() == 1)
        })
        .await;
        config_api.stop().await?;
        Ok(())
    }

    fn options(&self, name: &str, file: &str, role: &str) -> ServiceOptions {
        let mut options = program(name, self.scratch.path())
            .env("DATABASE_URL", self.database.url_for(role))
            .env("NATS_URL", self.broker.url_for(name))
            .env("ERP_ENCRYPTION_KEYS", KEYS)
            .env("ERP_ALLOW_PRIVATE_BASE_URL", "true");
        options.port_file = self.scratch.path().join(format!("{file}.json"));
        options.log = self.scratch.path().join(format!("{file}.log"));
        options
    }

    /// Makes users, and transactions of theirs that are to be synced; one's id is the MD5 of `<prefix><its number from 1>`.
    ///
    /// # Errors
    /// The database refuses it.
    pub async fn fill(&self, users: i32, transactions: i32, prefix: &str) -> anyhow::Result<()> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("CREATE TEMP TABLE payer ON COMMIT DROP AS SELECT uuidv7() AS id, n FROM generate_series(1, $1) n")
            .bind(users)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "INSERT INTO upcoach.users (id, email, name) SELECT id, id || '@example.com', 'Payer ' || n FROM payer",
        )
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "INSERT INTO upcoach.transactions (id, user_id, type, status, amount, currency, payment_method, description)
             SELECT md5($3 || g.n)::uuid, p.id, 'payment', 'completed', 1000 + g.n, 'usd', 'card', 'Coaching, month ' || g.n
             FROM generate_series(1, $1) g (n) JOIN payer p ON p.n = 1 + g.n % $2",
        )
        .bind(transactions)
        .bind(users)
        .bind(prefix)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        sqlx::query("ANALYZE").execute(&self.pool).await?;
        Ok(())
    }

    /// Nothing is claimed until [`Self::resume`].
    ///
    /// # Errors
    /// The database refuses it.
    pub async fn pause(&self) -> anyhow::Result<()> {
        sqlx::query("SELECT sync.gate_pause('bench', 'the tables are being filled')").execute(&self.pool).await?;
        Ok(())
    }

    /// The end of a pause.
    ///
    /// # Errors
    /// The database refuses it.
    pub async fn resume(&self) -> anyhow::Result<()> {
        sqlx::query("SELECT sync.gate_resume()").execute(&self.pool).await?;
        Ok(())
    }
}

async fn count_statements(database: &mut PrivateDatabase) -> anyhow::Result<()> {
    let pool = database.pool("postgres").await;
    sqlx::query("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'").execute(&pool).await?;
    pool.close().await;
    database.postgres.stop().await?;
    database.postgres.restart().await?;
    let pool = database.pool("postgres").await;
    sqlx::query("CREATE EXTENSION pg_stat_statements").execute(&pool).await?;
    pool.close().await;
    Ok(())
}
