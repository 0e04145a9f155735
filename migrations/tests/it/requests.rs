//! Every change in `upcoach` asks for a sync in its own transaction; a change that FlashERP would not see does not.

use sqlx::{Executor as _, PgPool};
use testkit::TestDatabase;

async fn requests(pool: &PgPool) -> Vec<(String, String)> {
    sqlx::query_as("SELECT entity_type::text, origin::text FROM sync.requests ORDER BY id")
        .fetch_all(pool)
        .await
        .expect("requests")
}

async fn asked_after(pool: &PgPool, statement: &'static str) -> usize {
    let before = requests(pool).await.len();
    pool.execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    requests(pool).await.len() - before
}

const ROWS: [&str; 5] = [
    "INSERT INTO upcoach.users (id, email) VALUES ('00000000-0000-0000-0000-000000000001', 'a@example.com')",
    "INSERT INTO upcoach.transactions (id, user_id, type, status, amount, currency)
     VALUES ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001', 'payment', 'completed', 100, 'usd')",
    "INSERT INTO upcoach.subscriptions (id, user_id, plan, status, billing_interval, amount, currency)
     VALUES ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000001', 'pro', 'active', 'monthly', 100, 'usd')",
    "INSERT INTO upcoach.invoices (id, user_id, status, amount, currency)
     VALUES ('00000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-000000000001', 'open', 100, 'usd')",
    "INSERT INTO scheduling.reports (period, period_start, period_end, currency, revenue, costs, profit, mrr, arr)
     VALUES ('daily', '2026-11-23', '2026-11-24', 'USD', 3, 1, 2, 0, 0)",
];

#[tokio::test]
async fn every_insert_and_every_change_of_a_mapped_column_asks_once() {
    let database = TestDatabase::new().await;
    let owner = database.pool("erp_owner").await;
    for row in ROWS {
        assert_eq!(asked_after(&owner, row).await, 1, "{row}");
    }
    let kinds: Vec<String> = requests(&owner).await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["customer", "transaction", "subscription", "invoice", "financial_report"]);
    for change in [
        "UPDATE upcoach.users SET name = 'Ada'",
        "UPDATE upcoach.transactions SET refunded_amount = 50, status = 'partially_refunded'",
        "UPDATE upcoach.subscriptions SET canceled_at = now(), status = 'canceled'",
        "UPDATE upcoach.invoices SET paid_at = now(), status = 'paid'",
        "UPDATE scheduling.reports SET revenue = 4, profit = 3",
    ] {
        assert_eq!(asked_after(&owner, change).await, 1, "{change}");
    }
}

#[tokio::test]
async fn what_flasherp_does_not_see_asks_for_nothing() {
    let database = TestDatabase::new().await;
    let owner = database.pool("erp_owner").await;
    for row in ROWS {
        owner.execute(row).await.expect(row);
    }
    for change in [
        "UPDATE upcoach.users SET updated_at = now(), stripe_facts = '{\"customer\": 1}'",
        "UPDATE upcoach.transactions SET fee = 3, net = 97, updated_at = now()",
        "UPDATE upcoach.transactions SET amount = amount, status = status",
        "UPDATE upcoach.subscriptions SET stripe_facts = '{\"subscription\": 1}'",
        "INSERT INTO upcoach.cost_entries (category, amount, currency, incurred_on) VALUES ('rent', 1, 'usd', '2026-11-23')",
    ] {
        assert_eq!(asked_after(&owner, change).await, 0, "{change}");
    }
}

#[tokio::test]
async fn a_rolled_back_change_asks_for_nothing_and_a_replica_session_still_asks() {
    let database = TestDatabase::new().await;
    let superuser = PgPool::connect(&database.admin_url()).await.expect("the superuser gets in");
    let mut transaction = superuser.begin().await.expect("a transaction");
    transaction.execute(ROWS[0]).await.expect("a user");
    transaction.rollback().await.expect("rolled back");
    assert_eq!(requests(&superuser).await.len(), 0);

    let mut session = superuser.acquire().await.expect("a session");
    session.execute("SET session_replication_role = replica").await.expect("a superuser may");
    session.execute(ROWS[0]).await.expect("a user");
    assert_eq!(requests(&superuser).await.len(), 1);
}

#[tokio::test]
async fn upcoach_waits_for_no_lock_while_its_record_is_claimed() {
    let database = TestDatabase::new().await;
    let owner = database.pool("erp_owner").await;
    owner.execute(ROWS[0]).await.expect("a user");
    // A worker's transaction holds the request it is folding and the sync row it is claiming.
    let mut worker = owner.begin().await.expect("a transaction");
    worker.execute("DELETE FROM sync.requests").await.expect("folded");
    worker
        .execute(
            "INSERT INTO sync.erp_syncs (id, source_type, source_id)
             VALUES (gen_random_uuid(), 'customer', '00000000-0000-0000-0000-000000000001')",
        )
        .await
        .expect("claimed");
    let mut upcoach = owner.acquire().await.expect("a session");
    upcoach.execute("SET lock_timeout = '1ms'").await.expect("set");
    upcoach.execute("UPDATE upcoach.users SET name = 'Ada'").await.expect("no lock of ours is in the way");
    worker.commit().await.expect("commit");
    assert_eq!(requests(&owner).await.len(), 1);
}
