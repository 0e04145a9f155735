//! What [`crate::planted`] shows of transactions, of customers, subscriptions and invoices: differences of every class are planted, in fields that only
//! they have; exactly those are found, the totals are proven, a sync mends what it can, and the next run finds nothing more.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{EntityType, SourceSystem, SyncId};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use testkit::ledger::Pair;
use uuid::Uuid;

use crate::kit::{SOON, World};

/// Of all four: a transaction is compared beside them, and must not be told to differ.
const RECORDS: u32 = 300;
const PLANTED: [EntityType; 3] = [EntityType::Customer, EntityType::Subscription, EntityType::Invoice];
/// How many of each class and type.
const EACH: u32 = 3;
const CLASSES: [&str; 9] = [
    "missing_in_flasherp",
    "mismatch",
    "missing_in_upcoach",
    "duplicate_in_flasherp",
    "orphaned_sync",
    "pending_sync",
    "failed_sync",
    "skipped_sync",
    "unknown_sync",
];

const fn path(of: EntityType) -> &'static str {
    match of {
        EntityType::Customer => "customers",
        EntityType::Transaction => "transactions",
        EntityType::Subscription => "subscriptions",
        EntityType::Invoice => "invoices",
        EntityType::FinancialReport => "metrics",
    }
}

const fn table(of: EntityType) -> &'static str {
    match of {
        EntityType::Customer => "users",
        other => path(other),
    }
}

/// A change of one field in FlashERP; which differ for sure, and of money one in three.
fn edited(of: EntityType, nth: u32) -> Value {
    let late = "2020-02-29T23:59:59.000Z";
    match (of, nth % 3) {
        (EntityType::Customer, 0) => json!({"name": "Somebody else"}),
        (EntityType::Customer, 1) => json!({"email": "somebody.else@example.com"}),
        (EntityType::Customer, _) => json!({"upcoachReference": "nobody of ours"}),
        (EntityType::Subscription, 0) => json!({"amount": 99_999}),
        (EntityType::Subscription, 1) => json!({"plan": "none of ours"}),
        (EntityType::Subscription, _) => json!({"currentPeriodStart": late}),
        (_, 0) => json!({"currency": "CHF"}),
        (_, 1) => json!({"amount": 99_999}),
        (_, _) => json!({"dueDate": late}),
    }
}

/// All that FlashERP wants of a record.
fn made(pair: &Pair, reference: Uuid) -> Value {
    let (customer, at) = (&pair.customer, "2026-01-01T00:00:00.000Z");
    match pair.of {
        EntityType::Customer => json!({"email": "a@example.com", "name": "Another", "upcoachReference": reference}),
        EntityType::Subscription => json!({
            "customerId": customer, "plan": "pro", "status": "active", "billingInterval": "monthly", "amount": 7, "currency": "EUR",
            "currentPeriodStart": at, "currentPeriodEnd": at, "upcoachReference": reference,
        }),
        _ => {
            json!({"customerId": customer, "amount": 7, "currency": "EUR", "dueDate": at, "upcoachReference": reference})
        }
    }
}

/// Runs a statement about one record of ours; `{table}` is its table.
async fn change(world: &World, statement: &str, pair: &Pair) {
    let statement = statement.replace("{table}", table(pair.of));
    sqlx::query(AssertSqlSafe(statement.as_str()))
        .bind(pair.id)
        .execute(&world.pool)
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error}"));
}

async fn is_gone(world: &World, pair: &Pair) {
    world.sandbox.remove_record(path(pair.of), &pair.target).await;
}

/// Plants one difference; `nth` of its class.
async fn plant(world: &World, class: &str, nth: u32, pair: &Pair) {
    let sync = |set: &str| {
        format!("UPDATE sync.erp_syncs SET target_id = NULL, target_created_at = NULL, {set} WHERE source_id = $1")
    };
    match class {
        "missing_in_flasherp" => is_gone(world, pair).await,
        "mismatch" => drop(world.sandbox.edit_record(path(pair.of), &pair.target, edited(pair.of, nth)).await),
        "missing_in_upcoach" => {
            drop(world.sandbox.create_record(path(pair.of), made(pair, Uuid::new_v4())).await);
        }
        "duplicate_in_flasherp" => drop(world.sandbox.create_record(path(pair.of), made(pair, pair.id)).await),
        "orphaned_sync" => change(world, "DELETE FROM upcoach.{table} WHERE id = $1", pair).await,
        "pending_sync" if nth.is_multiple_of(2) => {
            // A change that was asked for, and that no worker has taken.
            let field = match pair.of {
                EntityType::Customer => "name = 'Grace'",
                _ => "amount = amount + 1000",
            };
            let changed =
                format!("UPDATE upcoach.{{table}} SET {field}, updated_at = now() - interval '2 hours' WHERE id = $1");
            change(world, &changed, pair).await;
        }
        "pending_sync" => {
            is_gone(world, pair).await;
            change(world, &sync("sync_status = 'pending', due_at = now()"), pair).await;
        }
        "failed_sync" => {
            is_gone(world, pair).await;
            change(world, &sync("sync_status = 'failed', error_code = 'VALIDATION_ERROR'"), pair).await;
        }
        "skipped_sync" => {
            is_gone(world, pair).await;
            change(world, &sync("sync_status = 'skipped', skipped_by_hand = true, skip_reason = 'a test'"), pair).await;
        }
        "unknown_sync" => {
            is_gone(world, pair).await;
            let unknown = "sync_status = 'failed', outcome = 'unknown', unknown_since = now() - interval '1 hour',
                settle_until = now() - interval '30 minutes', due_at = now()";
            change(world, &sync(unknown), pair).await;
        }
        other => panic!("nothing is planted of {other}"),
    }
}

/// What is open of a run by type and class.
async fn open(world: &World, run: Uuid) -> BTreeMap<(String, String), i64> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT entity_type::text, class::text, count(*) FROM reconciliation.findings WHERE run_id = $1 AND decision = 'open'
         GROUP BY entity_type, class",
    )
    .bind(run)
    .fetch_all(&world.pool)
    .await
    .expect("findings");
    rows.into_iter().map(|(kind, class, count)| ((kind, class), count)).collect()
}

/// The records that somebody has to take away: too many of one, or nobody's.
async fn take_away(world: &World, run: Uuid) {
    let too_many: Vec<(String, String)> = sqlx::query_as(
        "SELECT entity_type::text, target_id FROM reconciliation.findings
         WHERE run_id = $1 AND class IN ('missing_in_upcoach', 'duplicate_in_flasherp')",
    )
    .bind(run)
    .fetch_all(&world.pool)
    .await
    .expect("findings");
    for (kind, target) in too_many {
        world.sandbox.remove_record(path(kind.parse().expect("a type")), &target).await;
    }
}

async fn heal(world: &World, run: Uuid) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM reconciliation.heal($1, NULL, NULL, 'ada', NULL, 1000000)")
        .bind(run)
        .fetch_one(&world.pool)
        .await
        .expect("healing")
}

/// Until nothing is being healed, and no sync is asked for or under way.
async fn all_is_done(world: &World) {
    testkit::eventually(Duration::from_secs(90), "every sync that was asked for has ended", || async {
        world.count("SELECT count(*) FROM reconciliation.findings WHERE decision = 'healing'").await == 0
            && world.count("SELECT count(*) FROM sync.requests").await == 0
            && world.count("SELECT count(*) FROM sync.erp_syncs WHERE sync_status IN ('pending', 'syncing')").await == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_what_was_planted_in_customers_subscriptions_and_invoices_is_found_proven_and_mended() {
    let world = World::of_each(RECORDS).await;
    world.long_ago().await;
    let mut expected: BTreeMap<(String, String), i64> = BTreeMap::new();
    for of in PLANTED {
        for (place, class) in (0_u32..).zip(CLASSES) {
            for nth in 0..EACH {
                // The first tenth of the customers own what is compared beside them, and stay as they are. Of all statuses and currencies.
                let at = 40 + (place * EACH + nth) * 7;
                plant(&world, class, nth, &world.ledger.pair(of, at)).await;
            }
            expected.insert((of.as_str().to_owned(), class.to_owned()), i64::from(EACH));
        }
    }
    world.now().await;

    let _reconciler = world.reconciler().await;
    let run = world.ask(&[], false, 0).await;
    let first = world.ended(run).await;
    assert_eq!(open(&world, run).await, expected, "{first:?}");
    assert_eq!((first.status.as_str(), first.proven), ("completed", Some(true)), "{first:?}");
    for of in PLANTED {
        let [ours, theirs] = ["upcoach", "flasherp"].map(|side| first.count_of(of, side));
        // Without the orphans'; and without all that is gone, and with what nobody here has, or has already.
        let (records, each) = (i64::from(RECORDS), i64::from(EACH));
        assert_eq!((ours, theirs), (records - each, records - 4 * each - 1 + 2 * each), "{of:?}: {first:?}");
    }
    for (code, [ours, theirs, classified]) in first.sums(EntityType::Invoice) {
        assert_eq!(ours - theirs, classified, "{code}: {first:?}");
    }
    assert_ne!(first.sums(EntityType::Invoice)["CHF"][1], 0, "what is told in another currency counts in both");

    // A sync mends what it can, somebody takes away what is too many, and what is right as it is is accepted.
    let _worker = world.worker().await;
    let healable: i64 = expected
        .iter()
        .filter(|((_, class), _)| {
            ["missing_in_flasherp", "mismatch", "pending_sync", "failed_sync", "unknown_sync"].contains(&class.as_str())
        })
        .map(|(_, count)| count)
        .sum();
    assert_eq!(heal(&world, run).await, healable);
    take_away(&world, run).await;
    sqlx::query(
        "SELECT reconciliation.decide(id, 'accepted', 'ada', 'as it should be') FROM reconciliation.findings
         WHERE class IN ('orphaned_sync', 'skipped_sync')",
    )
    .execute(&world.pool)
    .await
    .expect("decided");
    all_is_done(&world).await;
    let healed = "SELECT count(*) FROM reconciliation.findings WHERE decision = 'healed'";
    assert_eq!(world.count(healed).await, healable, "nothing was left as it was: {:?}", open(&world, run).await);
    assert_eq!(world.sandbox.counters().await.doubled(), 0, "no double was made");

    let again = world.ask(&[], false, 0).await;
    let second = world.ended(again).await;
    assert_eq!(open(&world, again).await, BTreeMap::new(), "{second:?}");
    assert_eq!((second.status.as_str(), second.proven), ("completed", Some(true)), "{second:?}");
}

#[tokio::test]
async fn a_customer_that_flasherp_has_lost_is_made_again_and_what_it_owns_becomes_its_own_again() {
    let world = World::of_each(50).await;
    world.long_ago().await;
    let lost = world.ledger.pair(EntityType::Customer, 2);
    is_gone(&world, &lost).await;
    world.now().await;
    let _reconciler = world.reconciler().await;
    let _worker = world.worker().await;
    let run = world.ask(&[], true, 0).await;
    let first = world.ended(run).await;
    assert_eq!((first.heals_requested, first.proven), (1, Some(true)), "{first:?}");
    all_is_done(&world).await;
    // Ten of each of the three types name the customer that is no more.
    let run = world.ask(&[], true, 0).await;
    let second = world.ended(run).await;
    assert!(matches!(second.heals_requested, 0 | 30), "{second:?}");
    all_is_done(&world).await;
    let run = world.ask(&[], true, 0).await;
    let third = world.ended(run).await;
    assert_eq!((open(&world, run).await, third.heals_requested), (BTreeMap::new(), 0), "{third:?}");
    testkit::eventually(SOON, "no record names the customer that is gone", || async {
        for of in ["transactions", "subscriptions", "invoices"] {
            if world
                .sandbox
                .records(of)
                .await
                .iter()
                .any(|record| record.text("customerId").as_ref() == Some(&lost.target))
            {
                return false;
            }
        }
        true
    })
    .await;
}

#[tokio::test]
async fn an_invoice_that_finance_made_in_flasherp_may_keep_its_own_reference_and_is_held_against_ours_in_all_else() {
    let world = World::of_each(50).await;
    world.long_ago().await;
    let (mut targets, owner) = (Vec::new(), world.ledger.pair(EntityType::Customer, 0));
    for nth in 0..2 {
        let fields = json!({
            "customerId": owner.target, "amount": 7, "currency": "EUR", "status": "open", "dueDate": "2026-01-01T00:00:00.000Z",
            "upcoachReference": format!("FIN-{nth}"),
        });
        targets.push(world.sandbox.create_record("invoices", fields).await.id());
    }
    let ids: Vec<Uuid> = targets.iter().map(|_| Uuid::new_v4()).collect();
    // As a worker takes them over: rows of ours, with syncs that know whose reference that is.
    sqlx::query(
        "WITH born AS (
            SELECT id, sync, target, now() - interval '2 hours' AS at, 'FIN-' || (nth - 1) AS reference
            FROM unnest($1::text[], $3::uuid[], $4::uuid[]) WITH ORDINALITY AS t (target, id, sync, nth)
         ), invoices AS (
            INSERT INTO upcoach.invoices (id, user_id, flasherp_invoice_id, origin, status, amount, currency, due_date, created_at, updated_at)
            SELECT id, $2, target, 'flasherp', 'open', 700, 'eur', '2026-01-01T00:00:00Z', at, at FROM born)
         INSERT INTO sync.erp_syncs (id, source_type, source_id, target_id, sync_status, requested, taken, taken_known, target_created_at,
            base_payload)
         SELECT sync, 'invoice', id, target, 'synced', 1, 1, 1, at, jsonb_build_object('upcoachReference', jsonb_build_object(
            'sent', jsonb_build_object('text', id::text), 'answered', jsonb_build_object('text', reference))) FROM born",
    )
    .bind(&targets)
    .bind(owner.id)
    .bind(&ids)
    .bind(ids.iter().map(|id| SyncId::of(SourceSystem::Upcoach, EntityType::Invoice, *id).as_uuid()).collect::<Vec<_>>())
    .execute(&world.pool)
    .await
    .expect("taken over");
    sqlx::query("TRUNCATE sync.requests").execute(&world.pool).await.expect("nothing is asked for");
    world.now().await;
    let _reconciler = world.reconciler().await;
    let run = world.ask(&["invoice"], false, 0).await;
    let ended = world.ended(run).await;
    assert_eq!((open(&world, run).await, ended.proven), (BTreeMap::new(), Some(true)), "{ended:?}");
    assert_eq!(ended.count_of(EntityType::Invoice, "matched"), 52);

    world.long_ago().await;
    world.sandbox.edit_record("invoices", &targets[0], json!({"amount": 8})).await;
    world.now().await;
    let run = world.ask(&["invoice"], false, 0).await;
    let ended = world.ended(run).await;
    let one = BTreeMap::from([(("invoice".to_owned(), "mismatch".to_owned()), 1)]);
    assert_eq!((open(&world, run).await, ended.proven), (one, Some(true)), "{ended:?}");

    // Nor does a sync that mends the rest write over it.
    let _worker = world.worker().await;
    assert_eq!(heal(&world, run).await, 1);
    all_is_done(&world).await;
    let invoices = world.sandbox.records("invoices").await;
    let healed = invoices.iter().find(|record| record.id() == targets[0]).expect("it is there");
    assert_eq!((healed.reference().as_str(), healed.json("amount")), ("FIN-0", Some("7.00")));
    let run = world.ask(&["invoice"], false, 0).await;
    let ended = world.ended(run).await;
    assert_eq!((open(&world, run).await, ended.proven), (BTreeMap::new(), Some(true)), "{ended:?}");
}
