//! What is known of a record, and how things stand, is found by a few look-ups, also where millions of events and syncs are known: counted by what
//! PostgreSQL reads.

use config_api::{status, timeline};
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

/// Rows of a schema's tables that were read so far, by index or from end to end.
async fn read_so_far(pool: &PgPool, schema: &str) -> i64 {
    sqlx::query("SELECT pg_stat_force_next_flush()").execute(pool).await.expect("flushed");
    sqlx::query_scalar(
        "SELECT ((SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE schemaname = $1)
            + (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE schemaname = $1))::bigint",
    )
    .bind(schema)
    .fetch_one(pool)
    .await
    .expect("statistics")
}

async fn tell_of_more(owner: &PgPool, schema: &str) {
    sqlx::query(
        "UPDATE pg_class SET reltuples = reltuples * $1 WHERE relnamespace = $2::regnamespace AND reltuples > 0",
    )
    .bind(TOLD)
    .bind(schema)
    .execute(owner)
    .await
    .expect("told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_story_is_found_without_going_through_all_events() {
    let database = TestDatabase::new().await;
    let owner = superuser(&database).await;
    rows::audit_rows(&owner, ROWS).await;
    rows::analyze(&owner).await;
    tell_of_more(&owner, "audit").await;
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
        let before = read_so_far(&pool, "audit").await;
        let story = timeline::read(&pool, &id.to_string()).await.expect("a story");
        assert!(!story.entries.is_empty());
        let read = read_so_far(&pool, "audit").await - before;
        assert!(read < 100, "{read} audit rows were read for {} entries", story.entries.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_many_failed_wait_and_were_tried_lately_is_counted_without_reading_all_syncs() {
    let database = TestDatabase::new().await;
    let owner = superuser(&database).await;
    rows::syncs(&owner, ROWS).await;
    rows::analyze(&owner).await;
    tell_of_more(&owner, "sync").await;
    let lately =
        "UPDATE sync.erp_syncs SET last_sync_attempt = now() - interval '1 minute' WHERE id = md5('sync1')::uuid";
    sqlx::query(lately).execute(&owner).await.expect("one tried lately");
    let pool = one_connection(&database).await;
    let before = read_so_far(&pool, "sync").await;
    let stats = status::stats(&pool).await.expect("counts");
    let read = read_so_far(&pool, "sync").await - before;
    assert_eq!((stats.recent_syncs, stats.failed_syncs), (1, i64::from(ROWS / 50)));
    assert!(read < 2_000, "{read} syncs were read");
}
