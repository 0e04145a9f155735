//! The jobs that ask others for work, and the alerts on what others did.

use sqlx::AssertSqlSafe;
use testkit::{Service, eventually};
use uuid::Uuid;

use crate::kit::{SOON, World};

/// Users and transactions: three of today that nobody has asked for, one that is synced, one that was skipped by hand, one that is exhausted, an old one.
const BOOKS: &str = "WITH u AS (INSERT INTO upcoach.users (id, email) VALUES (gen_random_uuid(), 'a@example.com') RETURNING id)
    INSERT INTO upcoach.transactions (id, user_id, type, status, amount, currency, created_at)
    SELECT gen_random_uuid(), u.id, 'payment', 'completed', 100 + n, 'usd', now() - CASE WHEN n = 7 THEN interval '3 days' ELSE interval '1 hour' END
    FROM u, generate_series(1, 7) AS n";

async fn with_books() -> World {
    let world = World::new().await;
    world.run(BOOKS).await;
    world.run("DELETE FROM sync.requests").await;
    world
        .run("INSERT INTO sync.erp_syncs (id, source_type, source_id, sync_status, skipped_by_hand, retry_count)
            SELECT gen_random_uuid(), 'transaction', t.id, (ARRAY['synced', 'skipped', 'failed'])[t.amount - 103]::sync.sync_status, t.amount = 105, 5
            FROM upcoach.transactions t WHERE t.amount BETWEEN 104 AND 106")
        .await;
    world
}

const ASKED: &str = "SELECT count(*) FROM sync.requests WHERE entity_type = 'transaction' AND origin = 'job'";

#[tokio::test]
async fn transactions_of_the_last_day_that_nobody_asked_for_are() {
    let world = with_books().await;
    let _scheduler = world.scheduler().await;
    let run = world.run_job("sync-transactions").await;
    assert_eq!(run.result.expect("a result")["asked"], 3);
    assert_eq!(world.count(ASKED).await, 3);
    let wrong =
        "SELECT count(*) FROM sync.requests r JOIN upcoach.transactions t ON t.id = r.source_id WHERE t.amount > 103";
    assert_eq!(world.count(wrong).await, 0);
}

#[tokio::test]
async fn what_is_out_of_scope_or_switched_off_is_not_asked_for() {
    let world = with_books().await;
    let _scheduler = world.scheduler().await;
    world.run("UPDATE config.erp_configurations SET sync_scope = sync_scope || '{\"transactions\": false}'").await;
    assert!(world.run_job("sync-transactions").await.result.expect("a result")["skipped"].is_string());
    world.run("UPDATE config.erp_configurations SET is_enabled = false").await;
    for job in ["sync-subscriptions", "reconciliation", "financial-report"] {
        assert!(world.run_job(job).await.result.expect("a result")["skipped"].is_string(), "{job}");
    }
    assert_eq!(world.count(ASKED).await, 0);
}

#[tokio::test]
async fn one_that_dies_while_it_asks_has_the_next_ask_again_and_nothing_is_made_twice() {
    let world = with_books().await;
    let fatal = world.scheduler_options("dying").env("JOB_LEASE_SECS", "4").env("ERP_FAILPOINT", "scheduler.asked");
    let mut dying = Service::start(fatal).await.expect("it starts");
    dying.until_ready(SOON).await.expect("ready");
    world.make_due("sync-transactions").await;
    dying.until_ended(SOON).await.expect("it dies");
    let _worker = world.worker().await;
    let _next = world.scheduler().await;
    world.next_succeeded("sync-transactions", 0).await;
    eventually(SOON, "the three are in FlashERP", || async { world.sandbox.records("transactions").await.len() == 3 })
        .await;
    assert!(world.sandbox.duplicates().await.values().all(Vec::is_empty));
}

#[tokio::test]
async fn running_subscriptions_are_asked_for() {
    let world = World::new().await;
    world
        .run(
            "INSERT INTO upcoach.subscriptions (id, user_id, plan, status, billing_interval, amount, currency)
            SELECT gen_random_uuid(), gen_random_uuid(), 'pro', status, 'monthly', 1000, 'usd'
            FROM unnest(ARRAY['active', 'trialing', 'past_due', 'canceled', 'paused', 'incomplete']) AS s (status)",
        )
        .await;
    world.run("DELETE FROM sync.requests").await;
    let _scheduler = world.scheduler().await;
    assert_eq!(world.run_job("sync-subscriptions").await.result.expect("a result")["asked"], 3);
}

#[tokio::test]
async fn a_reconciliation_is_asked_for_once_while_it_has_not_ended_and_its_differences_are_alerted() {
    let world = World::new().await;
    let _scheduler = world.scheduler().await;
    let first = world.run_job("reconciliation").await.result.expect("a result");
    let again = world.run_job("reconciliation").await.result.expect("a result");
    assert_eq!(first["runId"], again["runId"]);
    let asked = "SELECT count(*) FROM reconciliation.runs WHERE window_to - window_from = interval '90 days' AND requested_by = 'scheduler'
        AND entity_types = '{customer,subscription,transaction}'";
    assert_eq!(world.count(asked).await, 1);

    let open = "SELECT count(*) FROM scheduling.alerts WHERE kind = 'discrepancies' AND resolved_at IS NULL AND (details ->> 'value')::int = 2";
    world
        .run(
            "INSERT INTO reconciliation.findings (run_id, class, entity_type)
            SELECT id, class::reconciliation.finding_class, 'transaction' FROM reconciliation.runs,
                unnest(ARRAY['mismatch', 'missing_in_flasherp', 'pending_sync']) AS c (class)",
        )
        .await;
    world.run("UPDATE reconciliation.runs SET status = 'completed', proven = true, finished_at = now()").await;
    eventually(SOON, "the differences are alerted", || async { world.count(open).await == 1 }).await;
    world.run("UPDATE reconciliation.findings SET decision = 'accepted'").await;
    eventually(SOON, "decided on, they are not", || async { world.count(open).await == 0 }).await;
    let incomplete = "SELECT count(*) FROM scheduling.alerts WHERE kind = 'discrepancies' AND resolved_at IS NULL AND message LIKE '%is incomplete%'";
    world.run("UPDATE reconciliation.runs SET status = 'incomplete'").await;
    eventually(SOON, "one that proves nothing is", || async { world.count(incomplete).await == 1 }).await;
}

/// A run that completes now and is proven, over a window in days before now, of these types; with an open difference of a transaction or none.
async fn reconciled(world: &World, from: f64, to: f64, types: &[&str], difference: Option<Uuid>) {
    sqlx::query(
        "WITH run AS (
            INSERT INTO reconciliation.runs (status, proven, window_from, window_to, entity_types, finished_at)
            VALUES ('completed', true, now() - $1 * interval '24 hours', now() - $2 * interval '24 hours', $3::text[]::sync.entity_type[], now())
            RETURNING id)
         INSERT INTO reconciliation.findings (run_id, class, entity_type, source_id)
         SELECT id, 'mismatch', 'transaction', $4 FROM run WHERE $4 IS NOT NULL",
    )
    .bind(from)
    .bind(to)
    .bind(types)
    .bind(difference)
    .execute(&world.pool)
    .await
    .expect("a run");
}

/// Until the scheduler has looked at all that alerts are about, from first to last.
async fn all_is_looked_at(world: &World) {
    let circuit = "SELECT count(*) FROM scheduling.alerts WHERE kind = 'circuit' AND resolved_at IS NULL";
    for (change, count) in [
        ("state = 'open', failures = 5, opened_at = now(), retry_at = now() + interval '1 hour'", 1),
        ("state = 'closed', failures = 0, opened_at = NULL, retry_at = NULL", 0),
    ] {
        let change = format!("UPDATE sync.outbound_gate SET {change}, version = version + 1");
        sqlx::query(AssertSqlSafe(change)).execute(&world.pool).await.expect("the gate's row");
        // The gate comes first: when its end is seen, the look that has seen its beginning is over.
        eventually(SOON, "the gate is looked at", || async { world.count(circuit).await == count }).await;
    }
}

#[tokio::test]
async fn a_clean_hour_leaves_the_alert_of_the_night_and_only_a_newer_run_as_wide_ends_it() {
    const OPEN: &str = "SELECT count(*) FROM scheduling.alerts WHERE kind = 'discrepancies' AND resolved_at IS NULL";
    let all = ["customer", "subscription", "transaction"];
    let world = World::new().await;
    let _scheduler = world.scheduler().await;
    let difference = Some(Uuid::new_v4());
    reconciled(&world, 90.5, 0.5, &all, difference).await;
    eventually(SOON, "the night's difference is alerted", || async { world.count(OPEN).await == 1 }).await;
    // One hour; the same window of another type; a year that has ended before; all types, but not so wide.
    reconciled(&world, 0.04, 0.0, &all, None).await;
    reconciled(&world, 90.0, 0.0, &["customer"], None).await;
    reconciled(&world, 400.0, 35.0, &all, None).await;
    reconciled(&world, 89.0, 0.0, &[], None).await;
    all_is_looked_at(&world).await;
    assert_eq!(world.count(OPEN).await, 1);
    // None named are all.
    reconciled(&world, 90.0, 0.0, &[], None).await;
    eventually(SOON, "the whole is clean", || async { world.count(OPEN).await == 0 }).await;

    // What an hour finds is open, too, until the next night; found twice it is one.
    reconciled(&world, 1.0, 0.0, &["customer", "transaction"], Some(Uuid::new_v4())).await;
    reconciled(&world, 0.5, 0.0, &all, difference).await;
    reconciled(&world, 0.04, 0.0, &all, difference).await;
    let two = "SELECT count(*) FROM scheduling.alerts WHERE kind = 'discrepancies' AND resolved_at IS NULL AND (details ->> 'value')::int = 2";
    eventually(SOON, "they are alerted", || async { world.count(OPEN).await == 1 }).await;
    world.run("UPDATE scheduling.alerts SET resolved_at = now() WHERE kind = 'discrepancies'").await;
    eventually(SOON, "both are counted", || async { world.count(two).await == 1 }).await;
    // A type that is not kept in step any more is nobody's concern.
    world.run("UPDATE config.erp_configurations SET sync_scope = sync_scope || '{\"transactions\": false}'").await;
    eventually(SOON, "nothing is kept in step that differs", || async { world.count(OPEN).await == 0 }).await;
}

#[tokio::test]
async fn the_retry_queue_is_measured_and_dead_workers_leases_are_freed() {
    let world = World::new().await;
    world
        .run("INSERT INTO sync.erp_syncs (id, source_type, source_id, sync_status, next_retry_at, waiting_since, lease_owner, lease_until)
            SELECT gen_random_uuid(), 'transaction', gen_random_uuid(), CASE WHEN n <= 12 THEN 'failed' ELSE 'syncing' END::sync.sync_status,
                CASE WHEN n <= 12 THEN now() END, now() - interval '2 hours',
                CASE WHEN n > 12 THEN gen_random_uuid() END, CASE WHEN n = 13 THEN now() - interval '1 minute' WHEN n > 13 THEN now() + interval '1 hour' END
            FROM generate_series(1, 14) AS n")
        .await;
    let _scheduler = world.start(world.scheduler_options("scheduler").env("ALERT_RETRY_QUEUE", "12")).await;
    let run = world.run_job("retry-queue").await.result.expect("a result");
    assert_eq!((&run["depth"], &run["leasesFreed"]), (&13.into(), &1.into()));
    assert!(run["oldestWaitsSecs"].as_i64().is_some_and(|age| age >= 7200), "{run}");
    let freed = "SELECT count(*) FROM sync.erp_syncs WHERE outcome = 'unknown' AND lease_owner IS NULL AND settle_until IS NOT NULL";
    assert_eq!(world.count(freed).await, 1);
    let open = "SELECT count(*) FROM scheduling.alerts WHERE kind = 'retry_queue' AND resolved_at IS NULL";
    assert_eq!(world.count(open).await, 1);
    world.run("UPDATE sync.erp_syncs SET next_retry_at = NULL").await;
    world.run_job("retry-queue").await;
    assert_eq!(world.count(open).await, 0);
}

#[tokio::test]
async fn an_open_breaker_is_alerted_stays_so_while_it_is_tried_out_and_ends_when_it_closes() {
    let world = World::new().await;
    let _scheduler = world.scheduler().await;
    let open = "SELECT count(*) FROM scheduling.alerts WHERE kind = 'circuit' AND resolved_at IS NULL AND message LIKE 'the breaker is open%after 5 failures%'";
    let ended = "SELECT count(*) FROM scheduling.alerts WHERE kind = 'circuit' AND resolved_at IS NOT NULL AND end_announced_at IS NOT NULL";
    world
        .run("UPDATE sync.outbound_gate SET state = 'open', failures = 5, opened_at = now(), retry_at = now() + interval '1 hour', version = version + 1")
        .await;
    eventually(SOON, "it is alerted", || async { world.count(open).await == 1 }).await;
    world
        .run("UPDATE sync.outbound_gate SET state = 'half_open', retry_at = NULL, probe_owner = gen_random_uuid(), probe_until = now() + interval '1 hour', version = version + 1")
        .await;
    // Something else that the same look finds, to know that it has looked since.
    world
        .run("INSERT INTO reconciliation.runs (status, window_from, window_to, entity_types, finished_at) VALUES ('failed', '2026-01-01', '2026-02-01', '{customer}', now())")
        .await;
    let looked = "SELECT count(*) FROM scheduling.alerts WHERE kind = 'discrepancies'";
    eventually(SOON, "it is looked", || async { world.count(looked).await == 1 }).await;
    assert_eq!(world.count(open).await, 1);
    world
        .run("UPDATE sync.outbound_gate SET state = 'closed', failures = 0, opened_at = NULL, probe_owner = NULL, probe_until = NULL, version = version + 1")
        .await;
    eventually(SOON, "its end is told", || async { world.count(open).await == 0 && world.count(ended).await == 1 })
        .await;
}

#[tokio::test]
async fn money_that_is_not_in_flasherp_is_a_metric_by_currency_and_age_until_it_is() {
    let world = World::new().await;
    world.run(BOOKS).await;
    world.run("UPDATE upcoach.transactions SET currency = 'jpy' WHERE amount = 107").await;
    world
        .run("UPDATE sync.requests r SET requested_at = now() - interval '2 days' FROM upcoach.transactions t WHERE t.id = r.source_id AND t.amount IN (101, 102)")
        .await;
    let scheduler = world.scheduler().await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let url = scheduler.management_url("/metrics");
    let shown = async |metric: &str, currency: &str, age: &str| -> Option<i64> {
        let page = client.get(&url).send().await.expect("an answer").text().await.expect("a page");
        let labels = [format!("currency=\"{currency}\""), format!("age=\"{age}\"")];
        let line =
            page.lines().find(|line| line.starts_with(metric) && labels.iter().all(|label| line.contains(label)))?;
        line.rsplit(' ').next()?.parse().ok()
    };
    eventually(SOON, "the metrics tell", || async {
        shown("erp_exposure_units{", "USD", "older").await == Some(203)
            && shown("erp_exposure_units{", "USD", "under_5m").await == Some(103 + 104 + 105 + 106)
            && shown("erp_exposure_transactions{", "USD", "older").await == Some(2)
            && shown("erp_exposure_units{", "JPY", "under_5m").await == Some(107)
    })
    .await;
    // As the workers do when all of it is in FlashERP.
    world.run("DELETE FROM sync.requests").await;
    eventually(SOON, "nothing is left", || async {
        shown("erp_exposure_units{", "USD", "older").await == Some(0)
            && shown("erp_exposure_units{", "JPY", "under_5m").await == Some(0)
    })
    .await;
}

#[tokio::test]
async fn an_hour_and_a_day_are_found_among_years_by_an_index() {
    let world = with_books().await;
    world
        .run(
            "INSERT INTO upcoach.transactions (id, user_id, type, status, amount, currency, created_at)
            SELECT gen_random_uuid(), u.id, 'payment', 'completed', 100, 'usd', now() - interval '1 day' - n * interval '1 hour'
            FROM upcoach.users u, generate_series(1, 20000) AS n",
        )
        .await;
    world.run("DELETE FROM sync.requests").await;
    world
        .run(
            "INSERT INTO sync.erp_syncs (id, source_type, source_id, sync_status, last_sync_attempt)
            SELECT gen_random_uuid(), 'transaction', id, 'synced', created_at FROM upcoach.transactions WHERE amount = 100",
        )
        .await;
    for statement in [
        "ANALYZE upcoach.transactions",
        "ANALYZE sync.erp_syncs",
        // The planner is told that there are many more.
        "UPDATE pg_class SET reltuples = reltuples * 300 WHERE oid IN ('upcoach.transactions'::regclass, 'sync.erp_syncs'::regclass)",
    ] {
        world.run(statement).await;
    }
    let _scheduler = world.scheduler().await;
    let run = world.run_job("sync-transactions").await;
    assert_eq!(run.result.expect("a result")["asked"], 3);
    world.run_job("health-check").await;
    let used = "SELECT count(DISTINCT relname) FROM pg_stat_user_indexes WHERE idx_scan > 0
        AND indexrelname IN ('transactions_created', 'erp_syncs_status', 'erp_syncs_tried')";
    eventually(SOON, "both tables were read by their times", || async { world.count(used).await == 2 }).await;
}
