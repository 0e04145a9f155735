//! A worker that is frozen with a call under way, longer than its lease: its late answer.

use testkit::sandbox::{Fault, FaultAction};
use testkit::{Service, eventually};
use uuid::Uuid;

use crate::kit::{SOON, World, transaction_sync};

/// Takes effect long after the settle time: as if the worker had been frozen right before the socket.
const EFFECT_IS_LATE: FaultAction = FaultAction::Delay { before_ms: 12_000, after_ms: 0 };

/// A world whose only payment is with a frozen worker: its POST takes `fault`'s time. Its lease is over, and another worker has gone on.
async fn frozen_in_a_call(world: &World, capabilities: &[&str], fault: FaultAction) -> (Service, Service, Uuid) {
    world.sandbox.set_capabilities(capabilities).await;
    // A call of this worker's outlasts the freeze.
    let patient = world.worker_options("frozen").env("FLASHERP_TIMEOUT_SECS", "60").env("SYNC_LEASE_SECS", "120");
    let frozen = Service::start(patient).await.expect("the worker that will freeze");
    let user = world.insert_user(Some("ada@example.com")).await;
    world.all_synced().await;
    // Ready to go on at once, and idle until then.
    let other = Service::start(world.worker_options("other")).await.expect("the other worker");
    other.pause();
    world.sandbox.add_fault(&Fault::new(fault).on("POST", "/transactions").times(1)).await;
    let payment = world.insert_payment(user, 1000).await;
    eventually(SOON, "its POST is with FlashERP", || async {
        world.sandbox.counters().await.faults.values().sum::<u64>() == 1
    })
    .await;
    frozen.pause();
    // As if it had been frozen until now.
    world.run("UPDATE sync.erp_syncs SET lease_until = clock_timestamp() WHERE lease_until IS NOT NULL").await;
    other.resume();
    world.sync_becomes(transaction_sync(payment), "synced").await;
    (frozen, other, payment)
}

async fn its_answer_is_settled(world: &World, frozen: &mut Service) {
    frozen.resume();
    eventually(SOON, "its late answer was written down and looked into", || async {
        world.count("SELECT count(*) FROM sync.stray_writes WHERE settled_at IS NOT NULL").await == 1
    })
    .await;
    world.all_synced().await;
    assert_eq!(world.count("SELECT count(*) FROM sync.erp_syncs WHERE outcome <> 'known'").await, 0);
}

#[tokio::test]
async fn a_frozen_workers_late_answer_is_written_down_and_changes_nothing() {
    let world = World::new().await;
    let answer_is_late = FaultAction::Delay { before_ms: 0, after_ms: 12_000 };
    let (mut frozen, _other, _) = frozen_in_a_call(&world, &[], answer_is_late).await;
    world.flasherp_has_each_once(1).await;
    its_answer_is_settled(&world, &mut frozen).await;
    world.flasherp_has_each_once(1).await;
    assert_eq!(world.count("SELECT count(*) FROM reconciliation.findings").await, 0);
}

#[tokio::test]
async fn a_double_that_a_frozen_process_made_is_found_by_its_own_late_answer() {
    let world = World::new().await;
    let (mut frozen, _other, payment) = frozen_in_a_call(&world, &[], EFFECT_IS_LATE).await;
    assert_eq!(world.sandbox.counters().await.records_of("transactions"), 1, "the other has made it meanwhile");
    frozen.resume();
    eventually(SOON, "the frozen one's write takes effect", || async {
        world.sandbox.counters().await.records_of("transactions") == 2
    })
    .await;
    its_answer_is_settled(&world, &mut frozen).await;

    let doubles = world.sandbox.duplicates().await;
    let [double] = &doubles["transactions"][..] else { panic!("{doubles:?}") };
    let adopted = world.sync(transaction_sync(payment)).await.and_then(|row| row.target_id).expect("a target");
    let other: Vec<&String> = double.ids.iter().filter(|id| **id != adopted).collect();
    let found: Vec<(Uuid, String)> = sqlx::query_as(
        "SELECT source_id, target_id FROM reconciliation.findings
         WHERE class = 'duplicate_in_flasherp' AND decision = 'open' AND run_id IS NULL",
    )
    .fetch_all(&world.pool)
    .await
    .expect("findings");
    assert_eq!(found, [(payment, other[0].clone())]);
    assert_eq!(world.count("SELECT count(*) FROM scheduling.alerts WHERE kind = 'duplicate'").await, 1);
}

#[tokio::test]
async fn where_keys_are_honoured_not_even_a_frozen_process_makes_a_double() {
    let world = World::new().await;
    let (mut frozen, _other, _) = frozen_in_a_call(&world, &["idempotency-key"], EFFECT_IS_LATE).await;
    world.flasherp_has_each_once(1).await;
    // Both POSTs have the record's own key: the late one is answered with what the other has made.
    its_answer_is_settled(&world, &mut frozen).await;
    world.flasherp_has_each_once(1).await;
    assert_eq!(world.sandbox.counters().await.idempotent_replays, 1);
    assert_eq!(world.count("SELECT count(*) FROM reconciliation.findings").await, 0);
}
