//! Differences of every class planted among records that agree, while others change on both sides: exactly those are found, the totals are proven,
//! what a sync can mend is mended, and the next run finds nothing more.
//!
//! `RECONCILE_RECORDS` and `RECONCILE_PLANTED` are the sizes; what a test run takes is small. `./justw reconcile-full` takes the full size.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use testkit::ledger::Entry;
use uuid::Uuid;

use crate::kit::World;

/// Of so many that are planted, how many are of each class.
const SHARES: [(&str, u32); 9] = [
    ("missing_in_flasherp", 60),
    ("mismatch", 160),
    ("missing_in_upcoach", 50),
    ("duplicate_in_flasherp", 50),
    ("orphaned_sync", 40),
    ("pending_sync", 50),
    ("failed_sync", 40),
    ("skipped_sync", 25),
    ("unknown_sync", 25),
];

fn size(name: &str, default: u32) -> u32 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Plants one difference; `nth` of its class.
async fn plant(world: &World, class: &str, nth: u32, entry: &Entry) {
    match class {
        "missing_in_flasherp" => world.sandbox.remove_record("transactions", &entry.target).await,
        "mismatch" => {
            let fields = match nth % 4 {
                0 => json!({"amount": 99_999}),
                1 => json!({"status": "pending"}),
                2 => json!({"description": "something else"}),
                _ => json!({"type": if entry.kind == "refund" { "payment" } else { "refund" }}),
            };
            world.edit(entry, fields).await;
        }
        "missing_in_upcoach" => drop(world.create(entry, Uuid::new_v4()).await),
        "duplicate_in_flasherp" => drop(world.create(entry, entry.id).await),
        "orphaned_sync" => world.change("DELETE FROM upcoach.transactions WHERE id = $1", entry).await,
        "pending_sync" if nth.is_multiple_of(2) => {
            // A change that was asked for, and that no worker has taken.
            let amount = "UPDATE upcoach.transactions SET amount = amount + 1000, updated_at = now() - interval '2 hours' WHERE id = $1";
            world.change(amount, entry).await;
        }
        "pending_sync" => {
            world.sandbox.remove_record("transactions", &entry.target).await;
            let waiting = "UPDATE sync.erp_syncs SET sync_status = 'pending', target_id = NULL, target_created_at = NULL, due_at = now()
                WHERE source_id = $1";
            world.change(waiting, entry).await;
        }
        "failed_sync" => {
            world.sandbox.remove_record("transactions", &entry.target).await;
            let failed = "UPDATE sync.erp_syncs SET sync_status = 'failed', target_id = NULL, target_created_at = NULL,
                error_code = 'VALIDATION_ERROR' WHERE source_id = $1";
            world.change(failed, entry).await;
        }
        "skipped_sync" => {
            world.sandbox.remove_record("transactions", &entry.target).await;
            let skipped =
                "UPDATE sync.erp_syncs SET sync_status = 'skipped', skipped_by_hand = true, skip_reason = 'a test',
                target_id = NULL, target_created_at = NULL WHERE source_id = $1";
            world.change(skipped, entry).await;
        }
        "unknown_sync" => {
            world.sandbox.remove_record("transactions", &entry.target).await;
            let unknown = "UPDATE sync.erp_syncs SET sync_status = 'failed', outcome = 'unknown', unknown_since = now() - interval '1 hour',
                settle_until = now() - interval '30 minutes', due_at = now(), target_id = NULL, target_created_at = NULL
                WHERE source_id = $1";
            world.change(unknown, entry).await;
        }
        other => panic!("nothing is planted of {other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_what_was_planted_is_found_proven_and_mended() {
    let (records, planted) = (size("RECONCILE_RECORDS", 4_000), size("RECONCILE_PLANTED", 100));
    let limit = Duration::from_secs(60 + u64::from(records / 500));
    let world = World::new(records).await;
    world.long_ago().await;
    let mut expected: BTreeMap<String, i64> = BTreeMap::new();
    let mut at = 0;
    for (class, share) in SHARES {
        let count = (share * planted / 500).max(1);
        for nth in 0..count {
            // Spread over half of the window and all currencies, with many in between that agree.
            plant(&world, class, nth, &world.ledger.entry(at * (records / planted / 2) + at % 7)).await;
            at += 1;
        }
        expected.insert(class.to_owned(), i64::from(count));
    }
    // Those that change while the run is under way are others.
    let changing: Vec<Entry> = (0..20).map(|nth| world.ledger.entry(records - 1 - nth * 3)).collect();
    world.now().await;

    let slow = Duration::from_millis(100);
    world.sandbox.set_latency(slow, slow).await;
    let reconciler = world.reconciler().await;
    let run = world.ask(&["transaction"], false, 0).await;
    testkit::eventually(limit, "the run has begun to read", || async {
        world.count("SELECT coalesce(sum(records), 0)::bigint FROM reconciliation.slices").await > 0
    })
    .await;
    for (nth, entry) in changing.iter().enumerate() {
        if nth % 2 == 0 {
            world.edit(entry, json!({"description": "changed while it is read"})).await;
        } else {
            let here = "UPDATE upcoach.transactions SET description = 'changed while it is read', updated_at = clock_timestamp() WHERE id = $1";
            world.change(here, entry).await;
        }
    }
    world.sandbox.set_latency(Duration::ZERO, Duration::ZERO).await;
    let first = world.ended_within(run, limit).await;
    assert_eq!(first.status, "completed", "{first:?}");
    assert_eq!(world.open(run).await, expected, "{first:?}");
    assert_eq!(first.proven, Some(true), "{first:?}");
    let total: i64 = expected.values().sum();
    assert_eq!(first.count("open"), total);
    let missing_here = expected["missing_in_upcoach"];
    let in_upcoach = first.count("upcoach") + first.count("leftOut") + expected["orphaned_sync"];
    assert!(in_upcoach >= i64::from(records), "{first:?}");
    assert!(first.count("flasherp") >= first.count("matched") + missing_here, "{first:?}");

    // A sync mends what it can, somebody mends the books by hand, and what is right as it is is accepted.
    let _worker = world.worker().await;
    let asked: i64 =
        sqlx::query_scalar("SELECT count(*) FROM reconciliation.heal($1, NULL, NULL, 'ada', NULL, 1000000)")
            .bind(run)
            .fetch_one(&world.pool)
            .await
            .expect("healing");
    let healable = ["missing_in_flasherp", "mismatch", "pending_sync", "failed_sync", "unknown_sync"];
    assert_eq!(asked, healable.iter().map(|class| expected[*class]).sum::<i64>());
    let too_many: Vec<String> = sqlx::query_scalar(
        "SELECT target_id FROM reconciliation.findings WHERE class IN ('missing_in_upcoach', 'duplicate_in_flasherp') ORDER BY id",
    )
    .fetch_all(&world.pool)
    .await
    .expect("findings");
    for target in too_many {
        world.sandbox.remove_record("transactions", &target).await;
    }
    sqlx::query(
        "SELECT reconciliation.decide(id, 'accepted', 'ada', 'as it should be') FROM reconciliation.findings
         WHERE class IN ('orphaned_sync', 'skipped_sync')",
    )
    .execute(&world.pool)
    .await
    .expect("decided");
    testkit::eventually(limit, "every healing sync has mended its record", || async {
        let open = "SELECT count(*) FROM reconciliation.findings WHERE decision IN ('healing', 'open')
            AND class NOT IN ('missing_in_upcoach', 'duplicate_in_flasherp')";
        world.count(open).await == 0
    })
    .await;
    assert_eq!(world.sandbox.counters().await.doubled(), 0, "no double was made");

    for nth in (0..20).step_by(2) {
        let number = records - 1 - nth * 3;
        world.edit(&world.ledger.entry(number), json!({"description": format!("Coaching {number}")})).await;
    }

    // Nothing is asked for any more; what was healed a moment ago is not left out either.
    testkit::eventually(limit, "the workers are done", || async {
        world.count("SELECT count(*) FROM sync.requests").await == 0
            && world.count("SELECT count(*) FROM sync.erp_syncs WHERE sync_status IN ('pending', 'syncing')").await == 0
    })
    .await;
    let again = world.ask(&["transaction"], false, 0).await;
    let second = world.ended_within(again, limit).await;
    assert_eq!((second.status.as_str(), second.proven), ("completed", Some(true)), "{second:?}");
    assert_eq!(world.open(again).await, BTreeMap::new(), "{second:?}");
    assert_eq!((second.count("open"), second.count("leftOut")), (0, 0));
    let accepted = "SELECT count(*) FROM reconciliation.findings WHERE decision = 'accepted' AND decided_by = 'ada'
        AND note = 'as it should be'";
    assert_eq!(world.count(accepted).await, 2 * (expected["orphaned_sync"] + expected["skipped_sync"]));
    drop(reconciler);
}
