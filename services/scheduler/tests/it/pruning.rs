//! `prune`: what is over goes, what is unfinished stays, nobody waits.

use sqlx::Executor as _;
use testkit::{Service, eventually};

use crate::kit::{SOON, World};

/// Events of 500 and of 36 days ago, of every status, by ids of their time as ingress gives them.
const EVENTS: &str = "INSERT INTO ingress.webhook_events (id, source, event_id, event_type, status, body, received_at, due_at, wait_key)
    SELECT (lpad(to_hex((1000 * extract(epoch FROM now() - age))::bigint), 12, '0') || substr(md5(n::text || status || age::text), 1, 20))::uuid, 'stripe',
        status || n || age::text, 'x', status::ingress.event_status, '{}', now() - age, CASE WHEN status = 'received' THEN now() + interval '1 year' END,
        CASE WHEN status = 'parked' THEN 'nobody' END
    FROM unnest(ARRAY[interval '500 days', interval '36 days']) AS a (age), unnest(ARRAY['applied', 'ignored', 'received', 'parked', 'quarantined', 'failed']) AS s (status),
        generate_series(1, 700) AS n";

const HISTORY: &str = "WITH old AS (SELECT now() - interval '100 days' AS at)
    INSERT INTO scheduling.job_runs (job_name, scheduled_for, status, started_at, finished_at, lease_owner, lease_until)
    SELECT 'financial-report', at + n * interval '1 second', CASE WHEN n = 1 THEN 'running' ELSE 'succeeded' END::scheduling.job_run_status, at,
        CASE WHEN n > 1 THEN at END, CASE WHEN n = 1 THEN gen_random_uuid() END, CASE WHEN n = 1 THEN now() + interval '1 hour' END FROM old, generate_series(1, 5) AS n";

async fn with_a_past() -> World {
    let world = World::new().await;
    world.run(EVENTS).await;
    world
        .run("INSERT INTO scheduling.health_checks (checked_at, status) SELECT now() - n * interval '50 days', 'healthy' FROM generate_series(2, 4) AS n")
        .await;
    world
        .run("INSERT INTO scheduling.alerts (kind, severity, fingerprint, message, announced_at, resolved_at, end_announced_at)
            SELECT 'job', 'info', n::text, 'x', now(), CASE WHEN n > 1 THEN now() - interval '100 days' END, CASE WHEN n > 1 THEN now() END
            FROM generate_series(1, 4) AS n")
        .await;
    world
        .run(
            "INSERT INTO scheduling.alert_notices (alert_id, ended, channel, due_at)
            SELECT id, true, 'slack', now() + interval '1 hour' FROM scheduling.alerts WHERE fingerprint = '2'",
        )
        .await;
    world
        .run("INSERT INTO sync.batches (kind, status, finished_at) VALUES ('full_sync', 'completed', now() - interval '100 days'), ('full_sync', 'running', NULL)")
        .await;
    world.run("INSERT INTO sync.batch_items (batch_id, sync_id) SELECT id, gen_random_uuid() FROM sync.batches, generate_series(1, 1500)").await;
    world
        .run("INSERT INTO reconciliation.runs (status, window_from, window_to, entity_types, finished_at)
            SELECT status::reconciliation.reconciliation_status, now() - interval '200 days', now() - interval '100 days', '{customer}', ended
            FROM (VALUES ('completed', now() - interval '100 days'), ('failed', now() - interval '100 days'), ('running', NULL)) AS r (status, ended)")
        .await;
    world
        .run("INSERT INTO reconciliation.findings (run_id, class, entity_type, decision, decided_at)
            SELECT id, 'mismatch'::reconciliation.finding_class, 'customer'::sync.entity_type, d::reconciliation.decision, now() - interval '95 days' FROM reconciliation.runs, unnest(ARRAY['accepted', 'healed']) AS d
            WHERE status = 'completed'
            UNION ALL SELECT id, 'mismatch', 'customer', 'open', NULL FROM reconciliation.runs WHERE status = 'failed'")
        .await;
    for statement in STRAYS_AND_ACKNOWLEDGEMENTS {
        world.run(statement).await;
    }
    world
}

/// Of each 1,500 that are over, one that is unfinished and one that is young.
const STRAYS_AND_ACKNOWLEDGEMENTS: [&str; 3] = [
    "INSERT INTO sync.erp_syncs (id, source_type, source_id, sync_status, error_code, error_message)
     VALUES ('00000000-0000-4000-8000-000000000001', 'customer', gen_random_uuid(), 'failed', 'TIMEOUT', 'the same')",
    "INSERT INTO sync.stray_writes (sync_id, target_id, generation, lease_owner, happened_at, settled_at)
     SELECT '00000000-0000-4000-8000-000000000001', 'fcu_' || n, 1, gen_random_uuid(), now() - interval '100 days',
        CASE WHEN n = 1 THEN NULL WHEN n = 2 THEN now() ELSE now() - interval '99 days' END
     FROM generate_series(1, 1502) AS n",
    "INSERT INTO config.error_acknowledgements (fingerprint, acknowledged_at, acknowledged_by)
     SELECT error_fingerprint, now() - interval '100 days', 'ada' FROM sync.erp_syncs WHERE error_message = 'the same'
     UNION ALL SELECT md5(n::text), CASE WHEN n = 2 THEN now() ELSE now() - interval '100 days' END, 'ada' FROM generate_series(2, 1502) AS n",
];

async fn what_is_left(world: &World) -> [i64; 11] {
    let mut left = [0; 11];
    for (at, statement) in [
        "SELECT count(*) FROM ingress.webhook_events WHERE received_at < now() - interval '400 days' AND status IN ('applied', 'ignored')",
        "SELECT count(*) FROM ingress.webhook_events WHERE received_at < now() - interval '400 days'",
        "SELECT count(*) FROM ingress.webhook_events WHERE received_at > now() - interval '400 days'",
        "SELECT count(*) FROM scheduling.job_runs WHERE started_at < now() - interval '90 days'",
        "SELECT count(*) FROM scheduling.health_checks",
        "SELECT count(*) FROM scheduling.alerts WHERE kind = 'job'",
        "SELECT count(*) FROM sync.batches",
        "SELECT count(*) FROM sync.batch_items",
        "SELECT count(*) FROM reconciliation.runs",
        "SELECT count(*) FROM sync.stray_writes",
        "SELECT count(*) FROM config.error_acknowledgements",
    ]
    .into_iter()
    .enumerate()
    {
        left[at] = world.count(statement).await;
    }
    left
}

/// Four statuses of 700 that are unfinished, all of the younger ones, the run in hand, the newest check, an open alert and one whose end is still to be sent, the
/// running batch and its items, the running reconciliation and the one with a finding that is open, the stray write that is not settled, the acknowledgement of what
/// fails still, and a young one of each.
const UNFINISHED: [i64; 11] = [0, 2_800, 4_200, 1, 1, 2, 1, 1_500, 2, 2, 2];

#[tokio::test]
async fn what_is_over_goes_and_what_is_unfinished_stays() {
    let world = with_a_past().await;
    let _scheduler = world.scheduler().await;
    world.run(HISTORY).await;
    let run = world.run_job("prune").await;
    assert_eq!(run.status, "succeeded", "{run:?}");
    assert_eq!(what_is_left(&world).await, UNFINISHED);
    let result = run.result.expect("a result");
    let told =
        ["eventsForgotten", "strayWritesForgotten", "acknowledgementsForgotten"].map(|name| result[name].as_i64());
    assert_eq!(told, [Some(1_400), Some(1_500), Some(1_500)]);
    let kept = "SELECT count(*) FROM sync.stray_writes WHERE settled_at IS NULL";
    assert_eq!(world.count(kept).await, 1);
    let kept = "SELECT count(*) FROM config.error_acknowledgements a JOIN sync.erp_syncs s ON s.error_fingerprint = a.fingerprint";
    assert_eq!(world.count(kept).await, 1);
}

#[tokio::test]
async fn nobody_waits_for_it_and_it_waits_for_nobody() {
    let world = with_a_past().await;
    let _scheduler = world.scheduler().await;
    // A writer holds a row of each table, and another one writes meanwhile.
    let mut holding = world.pool.begin().await.expect("a transaction");
    for statement in [
        "SELECT FROM ingress.webhook_events WHERE event_id = (SELECT min(event_id) FROM ingress.webhook_events WHERE status = 'applied' AND received_at < now() - interval '400 days') FOR UPDATE",
        "SELECT FROM sync.batch_items WHERE (batch_id, sync_id) = (SELECT b.id, min(sync_id::text)::uuid FROM sync.batches b JOIN sync.batch_items i ON i.batch_id = b.id
            WHERE b.status = 'completed' GROUP BY b.id) FOR UPDATE",
        "SELECT FROM reconciliation.findings WHERE decision = 'healed' FOR UPDATE",
        "SELECT FROM sync.stray_writes WHERE target_id = 'fcu_3' FOR UPDATE",
        "SELECT FROM config.error_acknowledgements WHERE fingerprint = md5('3') FOR UPDATE",
    ] {
        holding.execute(statement).await.expect("held");
    }
    let writer = async {
        for _ in 0..50 {
            let mut connection = world.pool.acquire().await.expect("a connection");
            connection.execute("SET lock_timeout = '2s'").await.expect("set");
            connection
                .execute("UPDATE ingress.webhook_events SET attempts = attempts + 1 WHERE status = 'received'")
                .await
                .expect("nobody makes it wait");
        }
    };
    let (run, ()) = tokio::join!(world.run_job("prune"), writer);
    assert_eq!(run.status, "succeeded", "{run:?}");
    let left = what_is_left(&world).await;
    assert_eq!((left[0], left[6], left[7], left[8]), (1, 2, 1_501, 3), "what is held stays for the next time");
    assert_eq!((left[9], left[10]), (3, 3));
    holding.rollback().await.expect("let go");
    world.run_job("prune").await;
    let left = what_is_left(&world).await;
    assert_eq!((left[0], left[6], left[7], left[8]), (0, 1, 1_500, 2));
    assert_eq!((left[9], left[10]), (2, 2));
}

#[tokio::test]
async fn one_that_dies_between_two_pieces_is_gone_on_from() {
    let world = with_a_past().await;
    let fatal =
        world.scheduler_options("dying").env("JOB_LEASE_SECS", "4").env("ERP_FAILPOINT", "scheduler.pruned_a_piece:4");
    let mut dying = Service::start(fatal).await.expect("it starts");
    dying.until_ready(SOON).await.expect("ready");
    world.make_due("prune").await;
    dying.until_ended(SOON).await.expect("it dies");
    assert_ne!(what_is_left(&world).await, UNFINISHED);
    let _next = world.scheduler().await;
    world.next_succeeded("prune", 0).await;
    eventually(SOON, "all of it is gone", || async { what_is_left(&world).await[0] == 0 }).await;
    let left = what_is_left(&world).await;
    assert_eq!((left[1], left[7]), (UNFINISHED[1], UNFINISHED[7]));
}
