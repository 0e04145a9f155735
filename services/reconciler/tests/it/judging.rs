//! What belongs to a run, what is left out of it, and what is decided on its findings.

use std::collections::BTreeMap;

use serde_json::json;
use testkit::sandbox::Fault;
use uuid::Uuid;

use crate::kit::{SOON, World};

fn found(classes: &[(&str, i64)]) -> BTreeMap<String, i64> {
    classes.iter().map(|(class, count)| ((*class).to_owned(), *count)).collect()
}

#[tokio::test]
async fn what_changed_within_the_cut_off_on_either_side_is_left_out_on_both() {
    let world = World::new(500).await;
    world.edit(&world.ledger.entry(1), json!({"amount": 1})).await;
    let here = "UPDATE upcoach.transactions SET amount = 10, updated_at = now() WHERE id = $1";
    world.change(here, &world.ledger.entry(2)).await;
    world.create(&world.ledger.entry(3), Uuid::new_v4()).await;
    sqlx::query("TRUNCATE sync.requests").execute(&world.pool).await.expect("nothing is asked for");
    let _reconciler = world.reconciler().await;
    let run = world.ask(&["transaction"], false, 300).await;
    let ended = world.ended(run).await;
    assert_eq!((world.open(run).await, ended.proven), (found(&[]), Some(true)), "{ended:?}");
    assert_eq!((ended.count("leftOut"), ended.count("matched")), (3, 498));
    let ended = world.reconcile().await;
    assert_eq!(world.open(ended.id).await, found(&[("mismatch", 2), ("missing_in_upcoach", 1)]), "{ended:?}");
}

#[tokio::test]
async fn a_record_belongs_to_the_window_by_when_flasherp_made_it_and_an_unknown_birth_is_learned() {
    let world = World::new(500).await;
    world.long_ago().await;
    // Here it is of a time outside of the window, there inside of it, and nobody has noted that.
    let (far, gone, early) = (world.ledger.entry(10), world.ledger.entry(20), world.ledger.entry(30));
    let here = "UPDATE upcoach.transactions SET created_at = '2020-01-01' WHERE id = $1";
    world.change(here, &far).await;
    let unknown = "UPDATE sync.erp_syncs SET target_created_at = NULL WHERE source_id = $1";
    for entry in [&far, &gone, &early] {
        world.change(unknown, entry).await;
    }
    // The target of the second is gone.
    world.sandbox.remove_record("transactions", &gone.target).await;
    world.now().await;
    let _reconciler = world.reconciler().await;
    let ended = world.reconcile().await;
    assert_eq!(world.open(ended.id).await, found(&[("missing_in_flasherp", 1)]), "{ended:?}");
    assert_eq!((ended.count("matched"), ended.proven), (499, Some(true)));
    let learned = "SELECT count(*) FROM sync.erp_syncs WHERE source_type = 'transaction' AND target_created_at IS NULL";
    assert_eq!(world.count(learned).await, 1, "all but that of the one that is gone");

    // By a window that begins after its birth there, nothing is said of it, whatever its age here.
    let late = "UPDATE upcoach.transactions SET created_at = now() - interval '1 hour' WHERE id = $1";
    world.change(late, &early).await;
    world.change(unknown, &early).await;
    let run: Uuid = sqlx::query_scalar(
        "SELECT reconciliation.request(now() - interval '3 hours', now(), ARRAY['transaction']::sync.entity_type[], false, 0, 'ada', NULL)",
    )
    .fetch_one(&world.pool)
    .await
    .expect("a run");
    let ended = world.ended(run).await;
    assert_eq!(
        (world.open(run).await, ended.count("upcoach"), ended.count("flasherp")),
        (found(&[]), 0, 0),
        "{ended:?}"
    );
    assert_eq!(world.count(learned).await, 1, "the second look has told");
}

#[tokio::test]
async fn a_record_in_another_currency_counts_in_both() {
    let world = World::new(500).await;
    world.long_ago().await;
    let entry = world.ledger.entry(0);
    world.edit(&entry, json!({"currency": "CHF"})).await;
    world.now().await;
    let _reconciler = world.reconciler().await;
    let ended = world.reconcile().await;
    assert_eq!((world.open(ended.id).await, ended.proven), (found(&[("mismatch", 1)]), Some(true)), "{ended:?}");
    let sums = &ended.totals["types"][0]["currencies"];
    assert_eq!((&sums["CHF"]["theirs"], &sums["CHF"]["classified"]), (&json!(entry.units), &json!(-entry.units)));
    assert_eq!(sums["EUR"]["classified"], json!(entry.units));
}

#[tokio::test]
async fn a_run_that_was_asked_to_heals_what_is_missing_or_differs_up_to_its_cap() {
    let world = World::new(500).await;
    world.long_ago().await;
    for nth in 0..3 {
        world.sandbox.remove_record("transactions", &world.ledger.entry(nth).target).await;
        world.edit(&world.ledger.entry(10 + nth), json!({"status": "pending"})).await;
    }
    world.create(&world.ledger.entry(20), Uuid::new_v4()).await;
    world.now().await;
    let options = world.reconciler_options("reconciler").env("RECONCILIATION_AUTO_HEAL_CAP", "4");
    let _reconciler = world.start(options).await;
    let _worker = world.worker().await;
    let run = world.ask(&["transaction"], true, 0).await;
    let ended = world.ended(run).await;
    assert_eq!(ended.heals_requested, 4, "{ended:?}");
    testkit::eventually(SOON, "four are healed", || async {
        world.count("SELECT count(*) FROM reconciliation.findings WHERE decision = 'healed'").await == 4
    })
    .await;
    assert_eq!(world.open(run).await.values().sum::<i64>(), 3);
    let by = "SELECT count(*) FROM reconciliation.findings WHERE decision = 'healed' AND decided_by = 'reconciler'";
    assert_eq!(world.count(by).await, 4);
    let next = world.ask(&["transaction"], true, 0).await;
    world.ended(next).await;
    testkit::eventually(SOON, "the others are healed", || async {
        let open = world.open(next).await;
        open == found(&[("missing_in_upcoach", 1)])
            && world.count("SELECT count(*) FROM reconciliation.findings WHERE decision = 'healing'").await == 0
    })
    .await;
    assert_eq!(world.sandbox.counters().await.doubled(), 0);
}

#[tokio::test]
async fn a_double_that_a_worker_has_met_is_the_runs_finding_and_decided_only_once() {
    let world = World::new(500).await;
    world.long_ago().await;
    let entry = world.ledger.entry(5);
    let double = world.create(&entry, entry.id).await;
    world.now().await;
    sqlx::query("SELECT reconciliation.note_duplicates(ARRAY['transaction']::sync.entity_type[], ARRAY[$1]::uuid[], ARRAY[$2]::uuid[], ARRAY[$3])")
        .bind(entry.id)
        .bind(entry.sync)
        .bind(&double)
        .execute(&world.pool)
        .await
        .expect("noted");
    let _reconciler = world.reconciler().await;
    let first = world.reconcile().await;
    assert_eq!(world.open(first.id).await, found(&[("duplicate_in_flasherp", 1)]), "{first:?}");
    assert_eq!(world.count("SELECT count(*) FROM reconciliation.findings").await, 1);
    sqlx::query("SELECT reconciliation.decide(id, 'ignored', 'ada', NULL) FROM reconciliation.findings")
        .execute(&world.pool)
        .await
        .expect("decided");
    let second = world.reconcile().await;
    assert_eq!((world.open(second.id).await, second.count("open")), (found(&[]), 0), "{second:?}");
    // It differs in another way now.
    world.long_ago().await;
    world.sandbox.edit_record("transactions", &double, json!({"amount": 8})).await;
    world.now().await;
    let third = world.reconcile().await;
    assert_eq!(world.open(third.id).await, found(&[("duplicate_in_flasherp", 1)]), "{third:?}");
}

#[tokio::test]
async fn a_value_that_the_database_cannot_hold_is_a_finding_like_any_other() {
    let world = World::new(500).await;
    world.long_ago().await;
    world.edit(&world.ledger.entry(1), json!({"description": "a\u{0}b"})).await;
    world.now().await;
    let _reconciler = world.reconciler().await;
    let ended = world.reconcile().await;
    assert_eq!((world.open(ended.id).await, ended.proven), (found(&[("mismatch", 1)]), Some(true)), "{ended:?}");
    let shown: String = sqlx::query_scalar("SELECT theirs #>> '{}' FROM reconciliation.findings")
        .fetch_one(&world.pool)
        .await
        .expect("the finding");
    assert_eq!(shown, "a\u{2400}b");
}

#[tokio::test]
async fn a_run_that_the_database_refuses_ends_and_says_so_and_the_next_one_is_taken_up() {
    let world = World::new(500).await;
    world.long_ago().await;
    world.edit(&world.ledger.entry(1), json!({"amount": 1})).await;
    world.now().await;
    sqlx::query("ALTER TABLE reconciliation.findings ADD CONSTRAINT refused CHECK (class <> 'mismatch')")
        .execute(&world.pool)
        .await
        .expect("a rule");
    let _reconciler = world.reconciler().await;
    let refused = world.reconcile().await;
    assert_eq!((refused.status.as_str(), refused.proven), ("failed", None), "{refused:?}");
    assert!(refused.error.as_deref().is_some_and(|error| error.contains("refused") && error.contains("23514")));
    let customers = world.ask(&["customer"], false, 0).await;
    assert_eq!(world.ended(customers).await.status, "completed");
}

#[tokio::test]
async fn a_record_that_is_anothers_target_counts_for_that_one_alone_whatever_it_refers_to() {
    let world = World::new(500).await;
    world.long_ago().await;
    let (holder, claimant) = (world.ledger.entry(0), world.ledger.entry(4));
    world.sandbox.remove_record("transactions", &claimant.target).await;
    world.edit(&holder, json!({"upcoachReference": claimant.id})).await;
    let unmade = "UPDATE sync.erp_syncs SET target_id = NULL, target_created_at = NULL WHERE source_id = $1";
    world.change(unmade, &claimant).await;
    world.now().await;
    let _reconciler = world.reconciler().await;
    let ended = world.reconcile().await;
    assert_eq!(world.open(ended.id).await, found(&[("mismatch", 1), ("missing_in_flasherp", 1)]), "{ended:?}");
    assert_eq!((ended.count("upcoach"), ended.count("flasherp"), ended.proven), (500, 499, Some(true)), "{ended:?}");
}

#[tokio::test]
async fn money_of_ours_that_cannot_be_told_is_no_proof() {
    let world = World::new(500).await;
    world.change("UPDATE upcoach.transactions SET currency = 'zzz' WHERE id = $1", &world.ledger.entry(3)).await;
    sqlx::query("TRUNCATE sync.requests").execute(&world.pool).await.expect("nothing is asked for");
    let _reconciler = world.reconciler().await;
    let ended = world.reconcile().await;
    assert_eq!((world.open(ended.id).await, ended.proven), (found(&[("failed_sync", 1)]), Some(false)), "{ended:?}");
    assert_eq!(ended.count("unreadable"), 1);
}

#[tokio::test]
async fn while_a_customer_has_no_target_nothing_is_said_of_whose_its_records_are() {
    let world = World::new(500).await;
    let sent = "UPDATE sync.erp_syncs SET base_payload = jsonb_build_object('customerId',
            jsonb_build_object('sent', jsonb_build_object('text', $1::text), 'answered', jsonb_build_object('text', $1::text)))
        WHERE source_type = 'transaction'";
    sqlx::query(sent).bind(world.ledger.entry(0).customer).execute(&world.pool).await.expect("sent once");
    sqlx::query("UPDATE sync.erp_syncs SET target_id = NULL, target_created_at = NULL WHERE source_type = 'customer'")
        .execute(&world.pool)
        .await
        .expect("their targets are gone");
    let _reconciler = world.reconciler().await;
    let ended = world.reconcile().await;
    assert_eq!((world.open(ended.id).await, ended.count("matched")), (found(&[]), 500), "{ended:?}");
}

#[tokio::test]
async fn a_record_that_flasherp_cannot_serve_hides_no_other_difference() {
    let world = World::new(500).await;
    world.long_ago().await;
    for nth in 0..3 {
        world.edit(&world.ledger.entry(nth), json!({"amount": 1})).await;
    }
    world.now().await;
    // All tries of one call.
    world.sandbox.add_fault(&Fault::status(500).on("GET", "/transactions/{id}").times(4)).await;
    let options = world
        .reconciler_options("reconciler")
        .env("RECONCILIATION_SLICES", "1")
        .env("RECONCILIATION_PATIENCE_SECS", "0")
        .env("CIRCUIT_FAILURES", "1000");
    let _reconciler = world.start(options).await;
    let ended = world.reconcile().await;
    assert_eq!((ended.status.as_str(), ended.proven), ("incomplete", Some(false)), "{ended:?}");
    assert!(
        ended.error.as_deref().is_some_and(|error| error.starts_with("differences that could not be read again: 1 (")),
        "{ended:?}"
    );
    assert_eq!(world.open(ended.id).await, found(&[("mismatch", 2)]));
    let named = &ended.totals["unread"][0];
    let entry = (0..3).map(|nth| world.ledger.entry(nth)).find(|entry| named["sourceId"] == entry.id.to_string());
    let entry = entry.unwrap_or_else(|| panic!("it is named: {ended:?}"));
    assert_eq!((&named["entityType"], &named["targetId"]), (&json!("transaction"), &json!(entry.target)));
    assert!(ended.error.is_some_and(|error| error.contains(&format!("transaction {} {}", entry.id, entry.target))));
    assert_eq!(ended.totals["unreadCount"], 1);
}

#[tokio::test]
async fn what_somebody_skips_while_it_is_healed_is_open_again_with_the_reason() {
    let world = World::new(500).await;
    world.long_ago().await;
    for nth in 0..3 {
        world.edit(&world.ledger.entry(nth), json!({"amount": 1})).await;
    }
    world.now().await;
    let skip =
        "UPDATE sync.erp_syncs SET sync_status = 'skipped', skipped_by_hand = true, skip_reason = 'booked by hand'
        WHERE source_id = $1";
    let _reconciler = world.reconciler().await;
    let run = world.ask(&["transaction"], true, 0).await;
    assert_eq!(world.ended(run).await.heals_requested, 3);
    // Before a worker has looked at the wish; after it has, and not taken it; with an unknown outcome.
    let asked = "UPDATE sync.erp_syncs SET requested = requested + 1, updated_at = '2020-01-01' WHERE source_id = $1";
    let unknown = "UPDATE sync.erp_syncs SET outcome = 'unknown', unknown_since = now(), settle_until = now() WHERE source_id = $1";
    world.change(asked, &world.ledger.entry(1)).await;
    world.change(unknown, &world.ledger.entry(2)).await;
    for nth in 0..3 {
        world.change(skip, &world.ledger.entry(nth)).await;
    }
    testkit::eventually(SOON, "they are open again", || async { world.open(run).await == found(&[("mismatch", 3)]) })
        .await;
    let why =
        "SELECT count(*) FROM reconciliation.findings WHERE note = 'the sync did not mend it: skipped, booked by hand'";
    assert_eq!(world.count(why).await, 3);
}

#[tokio::test]
async fn what_is_learned_while_all_is_compared_keeps_no_worker_from_a_sync() {
    let world = World::new(1_000).await;
    let unknown = "UPDATE sync.erp_syncs SET target_created_at = NULL WHERE source_type = 'customer'";
    sqlx::query(unknown).execute(&world.pool).await.expect("nobody has noted it");
    // The customers are compared by then, and the transactions wait.
    let held = world.lock("upcoach.transactions", "ACCESS EXCLUSIVE").await;
    let _reconciler = world.reconciler().await;
    let run = world.ask(&["customer", "transaction"], false, 0).await;
    world.somebody_waits().await;
    let free = "WITH free AS (SELECT target_created_at FROM sync.erp_syncs WHERE source_type = 'customer' FOR UPDATE SKIP LOCKED)
        SELECT count(target_created_at) FROM free";
    assert_eq!(world.count(free).await, 10);
    held.rollback().await.expect("given back");
    assert_eq!(world.ended(run).await.proven, Some(true));
}

#[tokio::test]
async fn the_end_of_a_run_is_stated_with_its_counts() {
    let world = World::new(500).await;
    testkit::facts::keep(&world.pool, "reconciliation").await;
    world.long_ago().await;
    world.edit(&world.ledger.entry(1), json!({"amount": 1})).await;
    world.sandbox.remove_record("transactions", &world.ledger.entry(2).target).await;
    world.create(&world.ledger.entry(3), world.ledger.entry(3).id).await;
    world.create(&world.ledger.entry(3), Uuid::new_v4()).await;
    world.now().await;
    let _reconciler = world.reconciler().await;
    let run = world.ask(&["transaction", "customer"], true, 0).await;
    let ended = world.ended(run).await;
    let stated = testkit::facts::stated(&world.pool, "reconciliation", "upcoach.erp.reconciliation.completed.v1").await;
    let [fact] = &stated[..] else { panic!("{stated:?}") };
    let told = ["runId", "status", "proven", "discrepancies", "healsRequested"].map(|name| fact[name].clone());
    assert_eq!(told, [json!(run), json!("completed"), json!(true), json!(4), json!(2)], "{fact}");
    assert_eq!(i64::from(ended.heals_requested), 2);
    let counts = fact["counts"].as_array().expect("counts");
    let transactions = counts.iter().find(|of| of["entityType"] == "transaction").expect("transactions");
    assert_eq!(
        transactions,
        &json!({"entityType": "transaction", "checked": 502, "matched": 498, "missingInFlasherp": 1, "missingInUpcoach": 1, "mismatched": 1,
            "duplicates": 1, "orphaned": 0}),
        "{ended:?}"
    );
    assert_eq!(counts.len(), 2, "{fact}");
}
