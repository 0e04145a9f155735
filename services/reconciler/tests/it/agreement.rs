//! Two sides that agree, and runs that can't be.

use domain::EntityType;

use crate::kit::World;

#[tokio::test]
async fn two_books_that_agree_are_proven_and_nothing_is_found() {
    let world = World::new(3_000).await;
    let _reconciler = world.reconciler().await;
    let run = world.ask(&["transaction", "customer"], false, 300).await;
    let ended = world.ended(run).await;
    assert_eq!((ended.status.as_str(), ended.proven, &ended.error), ("completed", Some(true), &None), "{ended:?}");
    let counts = ["matched", "upcoach", "flasherp", "leftOut", "open"].map(|name| ended.count(name));
    assert_eq!(counts, [3_000, 3_000, 3_000, 0, 0]);
    assert_eq!(world.count("SELECT count(*) FROM reconciliation.findings").await, 0);
    let left = "SELECT (SELECT count(*) FROM reconciliation.slices) + (SELECT count(*) FROM reconciliation.suspects)
        + (SELECT count(*) FROM pg_class WHERE relname LIKE 'staging\\__%')";
    assert_eq!(world.count(left).await, 0, "what a run has worked with is gone after it");
    let sums = ended.totals["types"][1]["currencies"].as_object().expect("sums").clone();
    assert_eq!(sums.keys().map(String::as_str).collect::<Vec<_>>(), ["EUR", "JPY", "KWD", "USD"]);
    for (currency, sums) in sums {
        assert_eq!(sums["ours"], sums["theirs"], "{currency}");
        assert_ne!(sums["ours"], 0, "{currency}");
    }
}

#[tokio::test]
async fn records_of_all_four_types_that_agree_are_proven_and_so_is_the_money_of_invoices() {
    let world = World::of_each(1_000).await;
    let _reconciler = world.reconciler().await;
    // None named are all.
    let run = world.ask(&[], false, 300).await;
    let ended = world.ended(run).await;
    assert_eq!((ended.status.as_str(), ended.proven, &ended.error), ("completed", Some(true), &None), "{ended:?}");
    for kind in [EntityType::Customer, EntityType::Subscription, EntityType::Transaction, EntityType::Invoice] {
        let counts = ["matched", "upcoach", "flasherp", "leftOut", "open", "unreadable", "unaccounted"]
            .map(|name| ended.count_of(kind, name));
        assert_eq!(counts, [1_000, 1_000, 1_000, 0, 0, 0, 0], "{kind:?}");
    }
    assert_eq!(world.count("SELECT count(*) FROM reconciliation.findings").await, 0);
    // The nth is over (n + 1) * 10 of Stripe's units, each fourth in the same currency: 250 of each. ISO's units are the same in all four.
    let sum = |first: i64| (0..250).map(|nth| (first + 4 * nth + 1) * 10).sum::<i64>();
    let expected = ["EUR", "USD", "JPY", "KWD"].into_iter().zip(0..).map(|(code, first)| {
        let sum = sum(first);
        (code.to_owned(), [sum, sum, 0])
    });
    assert_eq!(ended.sums(EntityType::Invoice), expected.collect());
    for kind in [EntityType::Customer, EntityType::Subscription] {
        assert_eq!(ended.sums(kind), std::collections::BTreeMap::new(), "of {kind:?} no money is counted");
    }
}

#[tokio::test]
async fn what_is_not_configured_or_not_kept_in_step_fails_and_says_so() {
    let world = World::new(10).await;
    let _reconciler = world.reconciler().await;
    let invoices = world.ask(&["invoice"], false, 0).await;
    let ended = world.ended(invoices).await;
    assert_eq!((ended.status.as_str(), ended.proven), ("failed", None));
    assert_eq!(ended.error.as_deref(), Some("none of these types is kept in step"));
    sqlx::query("UPDATE config.erp_configurations SET is_enabled = false").execute(&world.pool).await.expect("off");
    testkit::eventually(crate::kit::SOON, "it has heard", || async {
        let ended = world.reconcile().await;
        ended.error.as_deref() == Some("the integration is switched off")
    })
    .await;
    let told = "SELECT count(*) FROM reconciliation.runs WHERE finished_at IS NULL";
    assert_eq!(world.count(told).await, 0);
}
