//! The fold through Postgres: stories in many orders, doubled, by two appliers at once, end in the same rows.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::bench::{Bench, Dice};
use crate::stories::{Shape, Story};

fn shape_of(n: u32) -> Shape {
    if n.is_multiple_of(2) { Shape::Legacy } else { Shape::Current }
}

/// Brings every story's first event, applies, brings every story's second, and so on: the order of a story is the order of its list.
async fn play(bench: &Bench, mut stories: Vec<Vec<Value>>) {
    stories.iter_mut().for_each(|story| story.reverse());
    loop {
        let round: Vec<Value> = stories.iter_mut().filter_map(Vec::pop).collect();
        if round.is_empty() {
            break;
        }
        bench.store(&round).await;
        bench.apply().await;
    }
    let unapplied: i64 = bench.one("SELECT count(*) FROM ingress.webhook_events WHERE status <> 'applied'").await;
    assert_eq!(unapplied, 0, "something was not applied");
}

/// The different rows, ids of the story aside. Facts are those of the shape that told them.
async fn different_rows(bench: &Bench) -> BTreeSet<String> {
    let rows: Vec<String> = bench
        .all(
            "SELECT regexp_replace(row, '(pi|ch|in|sub|cus|re|dp)_[0-9]+', '\\1', 'g') FROM (
                SELECT jsonb_build_array('user', email, name, stripe_customer_id)::text AS row FROM upcoach.users
                UNION ALL
                SELECT jsonb_build_array('transaction', type, status, amount, currency, payment_method, t.description,
                    t.stripe_transaction_id, t.stripe_invoice_id, t.stripe_charge_id, t.stripe_refund_id, failure_reason, refunded_amount,
                    t.subscription_id IS NULL, t.created_at, u.stripe_customer_id, o.stripe_transaction_id)::text
                FROM upcoach.transactions t JOIN upcoach.users u ON u.id = t.user_id
                    LEFT JOIN (SELECT id, stripe_transaction_id FROM upcoach.transactions) o ON o.id = t.original_id
                UNION ALL
                SELECT jsonb_build_array('invoice', i.status, i.amount, i.currency, stripe_invoice_id, due_date, paid_at,
                    t.stripe_transaction_id, i.subscription_id IS NULL, i.created_at)::text
                FROM upcoach.invoices i LEFT JOIN (SELECT id, stripe_transaction_id FROM upcoach.transactions) t ON t.id = i.transaction_id
                UNION ALL
                SELECT jsonb_build_array('subscription', plan, status, billing_interval, amount, currency, stripe_subscription_id,
                    current_period_start, current_period_end, canceled_at, created_at)::text FROM upcoach.subscriptions) AS rows",
        )
        .await;
    rows.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_orders_of_a_payments_seven_events_end_in_the_same_rows() {
    let bench = Bench::new(64).await;
    let mut dice = Dice(1);
    let stories = (0..500).map(|n| {
        let mut story = Story::new(n, shape_of(n)).payment();
        dice.shuffle(&mut story);
        story
    });
    play(&bench, stories.collect()).await;
    let rows = different_rows(&bench).await;
    assert_eq!(rows.len(), 3, "{rows:#?}");
    assert_eq!(bench.one::<i64>("SELECT count(*) FROM upcoach.transactions WHERE status = 'completed'").await, 500);
    assert_eq!(bench.one::<i64>("SELECT count(*) FROM upcoach.invoices WHERE transaction_id IS NOT NULL").await, 500);
    let applied: i64 =
        bench.one("SELECT count(*) FROM audit.erp_audit_logs WHERE metadata ->> 'status' = 'applied'").await;
    assert_eq!(applied, 3500, "each was applied once");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_random_doubled_orders_end_in_the_same_rows() {
    let bench = Bench::new(200).await;
    let mut dice = Dice(2);
    let stories = (0..2000).map(|n| {
        let story = Story::new(n, shape_of(n));
        let mut events = story.payment();
        for doubled in 0..dice.below(4) {
            let mut again = events[dice.below(7)].clone();
            again["id"] = format!("evt_{n}_again_{doubled}").into();
            events.push(again);
        }
        dice.shuffle(&mut events);
        events
    });
    play(&bench, stories.collect()).await;
    let rows = different_rows(&bench).await;
    assert_eq!(rows.len(), 3, "{rows:#?}");
    assert_eq!(bench.one::<i64>("SELECT count(*) FROM upcoach.transactions").await, 2000);
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_disputes_and_subscriptions_in_random_doubled_orders_end_in_the_same_rows() {
    let bench = Bench::new(64).await;
    let mut dice = Dice(3);
    let stories = (0..200).map(|n| {
        let story = Story::new(n, shape_of(n));
        let mut events = story.payment();
        for other in [story.refunds(), story.lost_dispute(), story.subscription_life()] {
            events.extend(other);
        }
        // what several of these lives tell is the same event
        let mut seen = BTreeSet::new();
        events.retain(|event| seen.insert(event["id"].to_string()));
        for doubled in 0..dice.below(6) {
            let mut again = events[dice.below(events.len())].clone();
            again["id"] = format!("evt_{n}_again_{doubled}").into();
            events.push(again);
        }
        dice.shuffle(&mut events);
        events
    });
    play(&bench, stories.collect()).await;
    let rows = different_rows(&bench).await;
    // user, payment, two refunds, chargeback, invoice, subscription
    assert_eq!(rows.len(), 7, "{rows:#?}");
    assert_eq!(bench.one::<i64>("SELECT count(*) FROM upcoach.transactions WHERE type = 'refund'").await, 400);
    assert_eq!(bench.one::<i64>("SELECT count(*) FROM scheduling.alerts WHERE kind = 'dispute'").await, 200);
}
