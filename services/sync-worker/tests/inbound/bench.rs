//! A database of a test's own and two appliers on it, as if of two workers.

use domain::upcoach::UpcoachMode;
use events::traffic::Party;
use messaging::{Broker, BrokerOptions};
use secrecy::SecretString;
use serde_json::Value;
use sqlx::PgPool;
use sync_worker::inbound::{Applier, Rules};
use testkit::{Platform, TestBroker, TestDatabase};
use time::OffsetDateTime;
use uuid::Uuid;

/// A database, and two appliers as if of two workers.
pub(crate) struct Bench {
    pub(crate) database: TestDatabase,
    pub(crate) pool: PgPool,
    /// UpCoach, as it writes its own records.
    pub(crate) platform: Platform,
    appliers: [Applier; 2],
    rows: PgPool,
    broker: Broker,
    _broker: TestBroker,
}

impl Bench {
    pub(crate) async fn new(batch: i32) -> Self {
        Self::in_mode(batch, UpcoachMode::Tables).await
    }

    /// With UpCoach's records where this mode has them.
    pub(crate) async fn in_mode(batch: i32, mode: UpcoachMode) -> Self {
        let (database, test_broker) = (TestDatabase::new().await, TestBroker::new().await);
        let platform = Platform::new(&database, mode).await;
        let pool = PgPool::connect(&database.admin_url()).await.expect("the superuser gets in");
        let options = BrokerOptions {
            url: SecretString::from(test_broker.url()),
            party: Party::SyncWorker,
            namespace: test_broker.prefix().parse().expect("a prefix"),
        };
        let broker = Broker::connect(options).await.expect("a broker");
        let rows = database.pool("erp_sync_worker").await;
        let rules = Rules { upcoach: mode, ..Rules::default() };
        let applier = || Applier::new(rows.clone(), broker.hints().clone(), batch, rules.clone());
        let appliers = [applier(), applier()];
        Self { database, pool, platform, appliers, rows, broker, _broker: test_broker }
    }

    /// Stores Stripe's events as ingress does, all in one statement; returns their row ids.
    pub(crate) async fn store(&self, events: &[Value]) -> Vec<Uuid> {
        self.store_of("stripe", events).await
    }

    pub(crate) async fn store_of(&self, source: &str, events: &[Value]) -> Vec<Uuid> {
        let n = events.len();
        let ids: Vec<Uuid> = events.iter().map(|_| Uuid::now_v7()).collect();
        let text = |name: &str| events.iter().map(|event| event[name].as_str().map(str::to_owned)).collect::<Vec<_>>();
        sqlx::query(
            "SELECT ingress.store($1::text[]::ingress.source[], $2, $3, $4, $5, $6, $7, $7, $8, $7,
                $9::text[]::ingress.event_status[], $7)",
        )
        .bind(vec![source; n])
        .bind(&ids)
        .bind(text("id"))
        .bind(text("type"))
        .bind(events.iter().map(|event| event.to_string().into_bytes()).collect::<Vec<_>>())
        .bind(vec![None::<OffsetDateTime>; n])
        .bind(vec![None::<String>; n])
        .bind(vec![None::<Uuid>; n])
        .bind(vec!["received"; n])
        .execute(&self.pool)
        .await
        .expect("the events are stored");
        ids
    }

    /// Applies until nothing is due, with both appliers at once.
    pub(crate) async fn apply(&self) {
        let one = async |applier: &Applier| while applier.due().await.expect("applied").events > 0 {};
        loop {
            tokio::join!(one(&self.appliers[0]), one(&self.appliers[1]));
            let due: i64 =
                self.one("SELECT count(*) FROM ingress.webhook_events WHERE due_at <= clock_timestamp()").await;
            if due == 0 {
                return;
            }
        }
    }

    pub(crate) fn applier(&self) -> &Applier {
        &self.appliers[0]
    }

    /// An applier with other rules.
    pub(crate) fn with_rules(&self, rules: Rules) -> Applier {
        Applier::new(self.rows.clone(), self.broker.hints().clone(), 100, rules)
    }

    /// Asks for all events to be applied again, as the admin API does, and applies them.
    pub(crate) async fn replay_all(&self) {
        let config_api = self.database.pool("erp_config_api").await;
        sqlx::query("SELECT ingress.replay(NULL, NULL, NULL, now() - interval '1 day', 10000)")
            .execute(&config_api)
            .await
            .expect("replayed");
        self.apply().await;
    }

    pub(crate) async fn run(&self, statement: &'static str) {
        sqlx::query(statement).execute(&self.pool).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    pub(crate) async fn one<T>(&self, statement: &'static str) -> T
    where
        T: Send + Unpin + sqlx::Type<sqlx::Postgres> + for<'r> sqlx::Decode<'r, sqlx::Postgres>,
    {
        sqlx::query_scalar(statement).fetch_one(&self.pool).await.unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    pub(crate) async fn all<T>(&self, statement: &'static str) -> Vec<T>
    where
        T: Send + Unpin + sqlx::Type<sqlx::Postgres> + for<'r> sqlx::Decode<'r, sqlx::Postgres>,
    {
        sqlx::query_scalar(statement).fetch_all(&self.pool).await.unwrap_or_else(|error| panic!("{statement}: {error}"))
    }
}

/// Numbers that look random and are the same each time.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % n
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            let other = self.below(index + 1);
            items.swap(index, other);
        }
    }
}
