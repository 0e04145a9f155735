//! What is known of a record is found by a few look-ups, also where millions of events are known: counted by what PostgreSQL reads.

use config_api::timeline;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use testkit::TestDatabase;
use uuid::Uuid;

use crate::rows::{self, superuser};

const ROWS: i32 = 20_000;
/// The planner is told that there are so many times as many.
const TOLD: i32 = 300;

/// One connection, whose statistics are there as soon as asked for.
async fn one_connection(database: &TestDatabase) -> PgPool {
    let options = PgPoolOptions::new().max_connections(1);
    options.connect(&database.url_for("erp_config_api")).await.expect("the service gets in")
}

/// Rows of the audit log that were read so far, by index or from end to end.
async fn read_so_far(pool: &PgPool) -> i64 {
    sqlx::query("SELECT pg_stat_force_next_flush()").execute(pool).await.expect("flushed");
    sqlx::query_scalar(
        "SELECT ((SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE schemaname = 'audit')
            + (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE schemaname = 'audit'))::bigint",
    )
    .fetch_one(pool)
    .await
    .expect("statistics")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_story_is_found_without_going_through_all_events() {
    let database = TestDatabase::new().await;
    let owner = superuser(&database).await;
    rows::audit_rows(&owner, ROWS).await;
    rows::analyze(&owner).await;
    let more =
        "UPDATE pg_class SET reltuples = reltuples * $1 WHERE relnamespace = 'audit'::regnamespace AND reltuples > 0";
    sqlx::query(more).bind(TOLD).execute(&owner).await.expect("told");
    let told_of: Uuid = sqlx::query_scalar("SELECT md5('source1')::uuid").fetch_one(&owner).await.expect("an id");
    // A transaction that an event told of, and one that none did.
    for id in [told_of, Uuid::now_v7()] {
        sqlx::query(
            "WITH payer AS (INSERT INTO upcoach.users (id) VALUES (uuidv7()) RETURNING id)
             INSERT INTO upcoach.transactions (id, user_id, type, status, amount, currency)
             SELECT $1, id, 'payment', 'completed', 100, 'usd' FROM payer",
        )
        .bind(id)
        .execute(&owner)
        .await
        .expect("a transaction");
        let pool = one_connection(&database).await;
        let before = read_so_far(&pool).await;
        let story = timeline::read(&pool, &id.to_string()).await.expect("a story");
        assert!(!story.entries.is_empty());
        let read = read_so_far(&pool).await - before;
        assert!(read < 100, "{read} audit rows were read for {} entries", story.entries.len());
    }
}
