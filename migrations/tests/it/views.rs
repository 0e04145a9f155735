//! `deploy/upcoach-views.sql` over tables as UpCoach's models define them.

use domain::upcoach::UpcoachMode;
use migrations::UPCOACH_VIEWS_SQL;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool};
use testkit::{Platform, TestDatabase};

const ROWS: [&str; 3] = [
    r#"INSERT INTO public.users (id, email, name, password, "createdAt", "updatedAt")
       VALUES ('00000000-0000-0000-0000-000000000001', 'ada@example.com', 'Ada', 'secret', '2026-01-01', '2026-01-02')"#,
    r#"INSERT INTO public.subscriptions (id, "userId", "stripeSubscriptionId", "stripeCustomerId", plan, status, "billingInterval", amount,
           "trialEndDate", "currentPeriodStart", "currentPeriodEnd", "createdAt", "updatedAt")
       VALUES ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001', 'sub_1', 'cus_1', 'pro', 'trialing', 'yearly',
           490, '2026-02-01', '2026-01-01', '2027-01-01', '2026-01-01', '2026-01-01')"#,
    r#"INSERT INTO public.transactions (id, "userId", "subscriptionId", "stripeTransactionId", type, status, amount, currency, "paymentMethod",
           fee, "refundedAmount", "createdAt", "updatedAt")
       VALUES ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', 'pi_1',
           'payment', 'partially_refunded', 5.00, 'jpy', 'card', 0.20, NULL, '2026-01-01', '2026-01-01')"#,
];

async fn requests(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "WITH taken AS (DELETE FROM sync.requests RETURNING *) SELECT entity_type::text FROM taken ORDER BY id",
    )
    .fetch_all(pool)
    .await
    .expect("requests")
}

struct Views {
    pool: PgPool,
    platform: Platform,
    database: TestDatabase,
}

async fn views() -> Views {
    let database = TestDatabase::new().await;
    let platform = Platform::new(&database, UpcoachMode::Views).await;
    let pool = PgPool::connect(&database.admin_url()).await.expect("the superuser gets in");
    Views { pool, platform, database }
}

async fn run(pool: &PgPool, statement: &'static str) {
    pool.execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

#[tokio::test]
async fn upcoachs_rows_are_seen_as_the_contract_has_them() {
    let Views { pool, database, .. } = views().await;
    for row in ROWS {
        run(&pool, row).await;
    }
    let worker = database.pool("erp_sync_worker").await;
    for (statement, expected) in [
        (
            "SELECT to_jsonb(u) - 'id' FROM upcoach.users u",
            r#"{"name": "Ada", "email": "ada@example.com", "created_at": "2026-01-01T00:00:00+00:00", "updated_at": "2026-01-02T00:00:00+00:00", "stripe_facts": {}, "stripe_customer_id": "cus_1"}"#,
        ),
        (
            "SELECT to_jsonb(s) - ARRAY['id', 'user_id', 'created_at', 'updated_at', 'stripe_facts', 'canceled_at'] FROM upcoach.subscriptions s",
            r#"{"plan": "pro", "amount": 49000, "status": "trialing", "currency": "usd", "trial_end": "2026-02-01T00:00:00+00:00", "trial_start": null, "billing_interval": "yearly", "current_period_end": "2027-01-01T00:00:00+00:00", "stripe_customer_id": "cus_1", "current_period_start": "2026-01-01T00:00:00+00:00", "stripe_subscription_id": "sub_1"}"#,
        ),
        (
            "SELECT jsonb_build_array(stripe_transaction_id, type, status, amount, currency, payment_method, fee, net, refunded_amount, original_id)
             FROM upcoach.transactions",
            r#"["pi_1", "payment", "partially_refunded", 500, "jpy", "card", 20, null, 0, null]"#,
        ),
    ] {
        let row: serde_json::Value = sqlx::query_scalar(statement).fetch_one(&worker).await.expect("a row");
        let expected: serde_json::Value = serde_json::from_str(expected).expect("JSON");
        assert_eq!(row, expected, "{statement}");
    }
    // every reader may read them, nobody their neighbours
    for role in ["erp_config_api", "erp_scheduler", "erp_reconciler"] {
        run(&database.pool(role).await, "SELECT FROM upcoach.users, upcoach.subscriptions, upcoach.transactions").await;
    }
    let owner = database.pool("erp_owner").await;
    for statement in ["SELECT password FROM public.users", "UPDATE public.users SET name = 'Eve'"] {
        owner.execute(statement).await.expect_err("it is UpCoach's");
    }
    for statement in ["SELECT FROM public.users", "UPDATE upcoach.users SET name = 'Eve'"] {
        worker.execute(statement).await.expect_err("it is UpCoach's");
    }
}

#[tokio::test]
async fn every_change_that_flasherp_sees_asks_once_and_no_other_does() {
    let Views { pool, database: _database, .. } = views().await;
    for (row, kinds) in ROWS.into_iter().zip([vec!["customer"], vec!["customer", "subscription"], vec!["transaction"]])
    {
        run(&pool, row).await;
        assert_eq!(requests(&pool).await, kinds, "{row}");
    }
    for (change, kinds) in [
        ("UPDATE public.users SET name = 'Ada King'", vec!["customer"]),
        (r#"UPDATE public.users SET password = 'new', "updatedAt" = now()"#, vec![]),
        ("UPDATE public.subscriptions SET amount = 500", vec!["subscription"]),
        (r#"UPDATE public.subscriptions SET "stripeCustomerId" = 'cus_2'"#, vec!["customer"]),
        (r#"UPDATE public.subscriptions SET "cancelReason" = 'too dear'"#, vec![]),
        (r#"UPDATE public.transactions SET "refundedAmount" = 5, status = 'refunded'"#, vec!["transaction"]),
        ("UPDATE public.transactions SET fee = 1, metadata = '{}'", vec![]),
    ] {
        run(&pool, change).await;
        assert_eq!(requests(&pool).await, kinds, "{change}");
    }
    let mut session = pool.acquire().await.expect("a session");
    session.execute("SET session_replication_role = replica").await.expect("a superuser may");
    session.execute("UPDATE public.users SET name = 'Ada'").await.expect("a change");
    assert_eq!(requests(&pool).await, ["customer"]);
}

#[tokio::test]
async fn it_may_run_again_and_hides_no_records_of_ours() {
    let Views { pool, platform, database: _database } = views().await;
    run(&pool, ROWS[0]).await;
    platform.make_views().await;
    let names: Vec<String> =
        sqlx::query_scalar("SELECT name FROM upcoach.users").fetch_all(&pool).await.expect("users");
    assert_eq!(names, ["Ada"]);
    assert_eq!(requests(&pool).await, ["customer"]);

    let database = TestDatabase::new().await;
    let pool = PgPool::connect(&database.admin_url()).await.expect("the superuser gets in");
    // in a session of its own, whose transaction it leaves broken
    let refused = async || {
        let mut session = PgConnection::connect(&database.admin_url()).await.expect("the superuser gets in");
        session.execute(AssertSqlSafe(UPCOACH_VIEWS_SQL)).await.map(|_| ()).expect_err("refused").to_string()
    };
    assert!(refused().await.contains("UpCoach's table public.users is not there"));
    let tables = Platform::new(&database, UpcoachMode::Tables).await;
    tables.make_tables().await;
    run(&pool, "INSERT INTO upcoach.users (id) VALUES (gen_random_uuid())").await;
    assert!(refused().await.contains("holds records of its own"));
}

#[tokio::test]
async fn columns_may_be_in_snake_case_in_another_schema_and_amounts_whole_numbers() {
    let database = TestDatabase::new().await;
    let pool = PgPool::connect(&database.admin_url()).await.expect("the superuser gets in");
    run(
        &pool,
        "CREATE SCHEMA app;
         CREATE TABLE app.users (id uuid PRIMARY KEY, email text, name text, stripe_customer_id text, created_at timestamp, updated_at timestamp);
         CREATE TABLE app.subscriptions (id uuid PRIMARY KEY, user_id uuid, stripe_subscription_id text, plan text, status text,
            billing_interval text, amount integer, currency text, current_period_start timestamptz, current_period_end timestamptz,
            created_at timestamptz, updated_at timestamptz);
         CREATE TABLE app.transactions (id uuid PRIMARY KEY, user_id uuid, stripe_transaction_id text, type text, status text, amount bigint,
            currency text, failure_reason text, created_at timestamptz, updated_at timestamptz)",
    )
    .await;
    let mut session = pool.acquire().await.expect("a session");
    session.execute("SET upcoach.source_schema = 'app'").await.expect("set");
    session.execute(AssertSqlSafe(UPCOACH_VIEWS_SQL)).await.expect("it runs");
    run(
        &pool,
        "INSERT INTO app.users VALUES (gen_random_uuid(), 'a@example.com', 'Ada', 'cus_1', '2026-01-01 10:00', '2026-01-01 10:00');
         INSERT INTO app.transactions SELECT gen_random_uuid(), id, 'pi_1', 'payment', 'pending', 500, 'jpy', NULL, now(), now() FROM app.users",
    )
    .await;
    let seen: String = sqlx::query_scalar(
        "SELECT concat_ws(' ', u.stripe_customer_id, u.created_at AT TIME ZONE 'UTC', t.amount, t.payment_method IS NULL)
         FROM upcoach.users u JOIN upcoach.transactions t ON t.user_id = u.id",
    )
    .fetch_one(&pool)
    .await
    .expect("a row");
    assert_eq!(seen, "cus_1 2026-01-01 10:00:00 500 t");
    let written: bool = sqlx::query_scalar(
        "SELECT upcoach.write_transaction(id, 'failed', 'no funds', 'pending') FROM app.transactions",
    )
    .fetch_one(&pool)
    .await
    .expect("written");
    assert!(written);
}

#[tokio::test]
async fn flasherps_changes_come_in_by_two_functions_that_overwrite_nothing_and_wait_for_nobody() {
    let Views { pool, database, .. } = views().await;
    for row in ROWS {
        run(&pool, row).await;
    }
    let worker = database.pool("erp_sync_worker").await;
    let said = async |statement: &'static str| -> bool {
        sqlx::query_scalar(statement).fetch_one(&worker).await.unwrap_or_else(|error| panic!("{statement}: {error}"))
    };
    let write = "SELECT upcoach.write_customer('00000000-0000-0000-0000-000000000001', 'Eve', 'eve@example.com', 'Ada', 'ada@example.com')";
    assert!(said(write).await);
    assert!(!said(write).await, "it is not as it was seen any more");
    let fail = "SELECT upcoach.write_transaction('00000000-0000-0000-0000-000000000003', 'failed', 'no funds', 'partially_refunded')";
    assert!(said(fail).await);
    assert!(!said(fail).await);
    let row: String = sqlx::query_scalar(
        r#"SELECT concat_ws(' ', u.name, u.email, u."updatedAt" > now() - interval '1 minute', t.status, t."failureReason")
           FROM public.users u, public.transactions t"#,
    )
    .fetch_one(&pool)
    .await
    .expect("a row");
    assert_eq!(row, "Eve eve@example.com t failed no funds");

    let mut upcoach = pool.begin().await.expect("a transaction");
    upcoach.execute("UPDATE public.users SET role = 'coach'").await.expect("locked");
    let locked = "SELECT upcoach.write_customer('00000000-0000-0000-0000-000000000001', 'Zoe', 'zoe@example.com', 'Eve', 'eve@example.com')";
    let error = worker.execute(locked).await.expect_err("it does not wait");
    let code = error.as_database_error().and_then(|error| error.code().map(|code| code.to_string()));
    assert_eq!(code.as_deref(), Some("55P03"), "{error}");

    let config_api = database.pool("erp_config_api").await;
    let error = config_api
        .execute("SELECT * FROM upcoach.import_batch('customer', '[]')")
        .await
        .expect_err("nothing to import into");
    let code = error.as_database_error().and_then(|error| error.code().map(|code| code.to_string()));
    assert_eq!(code.as_deref(), Some("0A000"), "{error}");
}
