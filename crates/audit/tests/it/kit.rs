//! A log with rows in it, sealed, and checked.

use std::sync::Mutex;
use std::time::Duration;

use audit::verify::{Options, Verdict};
use audit::{MOST_ROWS, Seal, seal_next, verify};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool};
use testkit::{TestDatabase, eventually, eventually_some};

pub(crate) const SOON: Duration = Duration::from_secs(60);

pub(crate) struct Log {
    pub(crate) database: TestDatabase,
    /// As the owner, who can do the most without being a superuser.
    pub(crate) owner: PgPool,
    pub(crate) scheduler: PgPool,
}

impl Log {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::new().await;
        let (owner, scheduler) = (database.pool("erp_owner").await, database.pool("erp_scheduler").await);
        Self { database, owner, scheduler }
    }

    /// With so many seals of so many rows.
    pub(crate) async fn sealed(seals: usize, rows: u32) -> Self {
        let log = Self::new().await;
        for _ in 0..seals {
            log.append(rows).await;
            log.seal_soon().await;
        }
        log
    }

    pub(crate) async fn append(&self, rows: u32) {
        append(&mut self.scheduler.acquire().await.expect("a connection"), rows).await;
    }

    pub(crate) async fn seal(&self) -> Option<Seal> {
        self.seal_most(MOST_ROWS).await
    }

    /// The next seal: rows may have to wait for transactions of other tests, in other databases of the server.
    pub(crate) async fn seal_soon(&self) -> Seal {
        eventually_some(SOON, "a seal", || self.seal()).await
    }

    /// Seals until no row is left, so many to a seal at most. Returns how many rows were under each.
    pub(crate) async fn seal_rest(&self, most: i64) -> Vec<u64> {
        let counts = Mutex::new(Vec::new());
        eventually(SOON, "every row is sealed", || async {
            while let Some(seal) = self.seal_most(most).await {
                counts.lock().expect("no panic").push(seal.row_count);
            }
            self.verify().await.rows_unsealed == 0
        })
        .await;
        counts.into_inner().expect("no panic")
    }

    pub(crate) async fn seal_most(&self, most: i64) -> Option<Seal> {
        let mut transaction = self.scheduler.begin().await.expect("a transaction");
        let seal = seal_next(&mut transaction, most).await.expect("sealed");
        transaction.commit().await.expect("committed");
        seal
    }

    pub(crate) async fn verify(&self) -> Verdict {
        self.verify_with(Options::default()).await
    }

    pub(crate) async fn verify_with(&self, options: Options) -> Verdict {
        let mut connection = PgConnection::connect(&self.database.url_for("erp_config_api")).await.expect("connected");
        verify(&mut connection, &options).await.expect("read")
    }

    /// Against heads that were kept outside.
    pub(crate) async fn verify_against(&self, heads: &[&str]) -> Verdict {
        let heads = heads.iter().map(|head| head.parse().expect("a head")).collect();
        self.verify_with(Options { heads, ..Options::default() }).await
    }

    /// What an owner does who has switched the triggers off, and on again afterwards.
    pub(crate) async fn tamper(&self, statement: &str) {
        let mut connection = self.owner.acquire().await.expect("a connection");
        for (table, word) in [("erp_audit_logs", "DISABLE"), ("seals", "DISABLE"), ("seal_leaves", "DISABLE")] {
            run(&mut connection, &format!("ALTER TABLE audit.{table} {word} TRIGGER USER")).await;
        }
        run(&mut connection, statement).await;
        for table in ["erp_audit_logs", "seals", "seal_leaves"] {
            for trigger in ["append_only", "append_only_truncate"] {
                run(&mut connection, &format!("ALTER TABLE audit.{table} ENABLE ALWAYS TRIGGER {trigger}")).await;
            }
        }
    }
}

pub(crate) async fn run(connection: &mut PgConnection, statement: &str) {
    connection
        .execute(AssertSqlSafe(statement.to_owned()))
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// Rows of every kind, with what JSON has of odd values.
pub(crate) async fn append(connection: &mut PgConnection, rows: u32) {
    sqlx::query(
        "INSERT INTO audit.erp_audit_logs (action, entity_type, entity_id, erp_sync_id, status, request_payload, response_payload,
            error_details, duration_ms, ip_address, user_agent, performed_by, request_id, metadata)
         SELECT 'sync', 'transaction', n::text, gen_random_uuid(), 'success',
            jsonb_build_object('amount', 12.50, 'note', E'\\u00e4\\u2028\"', 'large', 12345678901234567890.10, 'none', NULL), '[1, 2.0, {}]',
            NULL, n, CASE WHEN n % 2 = 0 THEN '2001:db8::1'::inet END, 'test', 'ada', gen_random_uuid(), '{}'
         FROM generate_series(1, $1) AS n",
    )
    .bind(i32::try_from(rows).expect("few"))
    .execute(connection)
    .await
    .expect("appended");
}
