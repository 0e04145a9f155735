//! All types at once, while FlashERP misbehaves and workers are killed and frozen: none missing, none double, newest state.
//!
//! `MIX_RECORDS` sets the size; 200 when it isn't.

use std::collections::BTreeMap;
use std::time::Duration;

use testkit::sandbox::{Fault, FaultAction, FaultBody, RetryAfter};
use testkit::{Service, eventually};

use crate::kit::World;

/// How long the whole may take to come to rest, for each record and at least.
const PER_RECORD: Duration = Duration::from_millis(100);
const AT_LEAST: Duration = Duration::from_secs(240);

const RECORDS: &str = "WITH u AS (
        INSERT INTO upcoach.users (id, email, name)
        SELECT uuidv7(), n || '@example.com', 'U ' || n FROM generate_series(1, $1 / 4) n RETURNING id),
    s AS (
        INSERT INTO upcoach.subscriptions (id, user_id, plan, status, billing_interval, amount, currency, current_period_start,
            current_period_end)
        SELECT uuidv7(), id, 'pro', 'active', 'monthly', 100, 'eur', '2026-11-01', '2026-12-01' FROM u),
    i AS (
        INSERT INTO upcoach.invoices (id, user_id, status, amount, currency, due_date)
        SELECT uuidv7(), id, 'open', 100, 'usd', '2026-12-01' FROM u),
    r AS (
        INSERT INTO scheduling.reports (period, period_start, period_end, currency, revenue, costs, profit, mrr, arr)
        SELECT 'daily', d, d + interval '1 day', 'EUR', 100, 0, 100, 1, 1
        FROM generate_series('2026-11-01'::timestamptz, '2026-11-10', interval '1 day') d)
    INSERT INTO upcoach.transactions (id, user_id, type, status, amount, currency)
    SELECT uuidv7(), id, 'payment', 'completed', 100, 'usd' FROM u";

/// A part of everything changes to this amount.
async fn change(world: &World, amount: i64, part: i64) {
    for table in ["transactions", "subscriptions", "invoices"] {
        let statement =
            format!("UPDATE upcoach.{table} SET amount = $1 WHERE abs(hashtextextended(id::text, $1)) % 3 = $2");
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(amount)
            .bind(part)
            .execute(&world.pool)
            .await
            .expect("a change");
    }
    sqlx::query("UPDATE scheduling.reports SET revenue = $1, profit = $1")
        .bind(amount)
        .execute(&world.pool)
        .await
        .expect("a change");
}

async fn misbehave(world: &World) {
    let faults = [
        Fault::new(FaultAction::CutAfterWrite).rate(0.1),
        Fault::new(FaultAction::LateWrite { delay_ms: 900 }).rate(0.1),
        Fault::status(500).rate(0.1),
        Fault::new(FaultAction::Status {
            status: 429,
            body: FaultBody::Json,
            retry_after: Some(RetryAfter::Seconds(1)),
            after_write: false,
        })
        .rate(0.05),
    ];
    for fault in faults {
        world.sandbox.add_fault(&fault).await;
    }
}

async fn in_the_middle(world: &World) {
    eventually(AT_LEAST, "some are in hand", || async {
        world.count("SELECT count(*) FROM sync.erp_syncs WHERE sync_status = 'syncing'").await > 0
    })
    .await;
}

async fn the_mix(capabilities: &[&str]) {
    let records: i64 = std::env::var("MIX_RECORDS").ok().and_then(|size| size.parse().ok()).unwrap_or(200);
    let patience = AT_LEAST.max(PER_RECORD * u32::try_from(records).expect("a size"));
    let world = World::new().await;
    world.sandbox.set_capabilities(capabilities).await;
    world.sandbox.set_latency(Duration::from_millis(5), Duration::from_millis(40)).await;
    world
        .run("UPDATE config.erp_configurations SET sync_scope = sync_scope || '{\"invoices\": true, \"financialReports\": true}'")
        .await;
    misbehave(&world).await;
    sqlx::query(RECORDS).bind(i32::try_from(records).expect("a size")).execute(&world.pool).await.expect("records");
    let mut killed = world.worker().await;
    let frozen = Service::start(world.worker_options("frozen")).await.expect("the worker that freezes");
    in_the_middle(&world).await;
    change(&world, 200, 0).await;
    killed.kill().await.expect("killed");
    in_the_middle(&world).await;
    frozen.pause();
    let held: Vec<uuid::Uuid> =
        sqlx::query_scalar("SELECT DISTINCT lease_owner FROM sync.erp_syncs WHERE lease_owner IS NOT NULL")
            .fetch_all(&world.pool)
            .await
            .expect("leases");
    assert!(!held.is_empty(), "the frozen one has something in hand");
    let _third = Service::start(world.worker_options("third")).await.expect("a third worker");
    change(&world, 300, 1).await;
    eventually(patience, "what the frozen one held is another's", || async {
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM sync.erp_syncs WHERE lease_owner = ANY ($1)")
            .bind(&held)
            .fetch_one(&world.pool)
            .await
            .expect("leases");
        left == 0
    })
    .await;
    frozen.resume();
    change(&world, 400, 2).await;
    eventually(patience, "everything has been tried to the end", || async {
        world.count("SELECT count(*) FROM sync.requests").await == 0
            && world.count("SELECT count(*) FROM sync.erp_syncs WHERE sync_status <> 'synced'").await == 0
    })
    .await;
    is_in_step(&world, records / 4).await;
}

async fn is_in_step(world: &World, of_each: i64) {
    let counters = world.sandbox.counters().await;
    let doubles = world.sandbox.duplicates().await;
    for (kind, table) in
        [("transactions", "transactions"), ("subscriptions", "subscriptions"), ("invoices", "invoices")]
    {
        let ours: Vec<(String, i64)> =
            sqlx::query_as(sqlx::AssertSqlSafe(format!("SELECT id::text, amount FROM upcoach.{table}")))
                .fetch_all(&world.pool)
                .await
                .expect("our records");
        assert_eq!(i64::try_from(ours.len()), Ok(of_each), "{kind}");
        let targets: Vec<(String, Option<String>)> =
            sqlx::query_as("SELECT source_id::text, target_id FROM sync.erp_syncs WHERE source_type::text || 's' = $1")
                .bind(kind)
                .fetch_all(&world.pool)
                .await
                .expect("sync rows");
        let targets: BTreeMap<String, Option<String>> = targets.into_iter().collect();
        let theirs = world.sandbox.records(kind).await;
        for (id, amount) in ours {
            let target = targets.get(&id).cloned().flatten();
            let record = theirs.iter().find(|record| Some(record.id()) == target);
            let held = record.and_then(|record| record.json("amount")).map(str::to_owned);
            assert_eq!(held, Some(format!("{}.00", amount / 100)), "{kind} {id}, target {target:?}");
        }
    }
    let too_many = doubles.get("customers").into_iter().flatten().map(|double| double.ids.len() - 1).sum::<usize>();
    assert_eq!(counters.records_of("customers"), u64::try_from(of_each).expect("a count") + too_many as u64);
    let reports = world.sandbox.records("metrics").await;
    assert_eq!(reports.len(), 10);
    assert!(reports.iter().all(|report| report.json("revenue") == Some("4.00")));
    // Where keys are ignored a frozen process may have made one; then it has its finding.
    for double in doubles.values().flatten() {
        let found: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM reconciliation.findings WHERE class = 'duplicate_in_flasherp' AND source_id::text = $1",
        )
        .bind(&double.upcoach_reference)
        .fetch_one(&world.pool)
        .await
        .expect("findings");
        assert_eq!(usize::try_from(found).expect("a count"), double.ids.len() - 1, "{double:?}");
    }
}

#[tokio::test]
async fn all_types_come_to_their_newest_state_once_where_keys_are_ignored() {
    the_mix(&[]).await;
}

#[tokio::test]
async fn all_types_come_to_their_newest_state_once_where_keys_are_honoured() {
    the_mix(&["idempotency-key"]).await;
}
