//! Every plot that the sandbox's Stripe can tell, through Postgres: in the shapes of all its API versions, and in orders in which what others refer to
//! comes last, the stories end in the same rows.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use testkit::sandbox::{Sandbox, StripeSend};
use testkit::{Scratch, Service};

use crate::bench::{Bench, Dice};

const SOON: Duration = Duration::from_secs(60);
const KEY: &str = "sk_test_of_the_test";
/// Events that come together.
const ROUND: usize = 25;

/// The same stories, told in one shape; oldest event first.
async fn told_in(shape: &str, plots: &[&str], count: u32) -> Vec<Value> {
    let scratch = Scratch::new().expect("a folder");
    let options = testkit::service("flasherp-sandbox", scratch.path())
        .env("STRIPE_API_KEY", KEY)
        .env("STRIPE_WEBHOOK_SECRET", "whsec_of_the_test");
    let process = Service::start(options).await.expect("the sandbox starts");
    let sandbox = Sandbox::at(format!("http://{}", process.addresses().http.expect("it serves HTTP")));
    let order = StripeSend {
        count,
        seed: Some(77),
        stories: Some(plots.iter().map(|plot| (*plot).to_owned()).collect()),
        created: Some("2026-01-01T00:00:00Z".to_owned()),
        miss_rate: Some(1.0),
        api_shape: Some(shape.to_owned()),
        ..StripeSend::default()
    };
    let send = sandbox.send_stripe(&order).await;
    sandbox.wait_send_done(send.id, SOON).await;
    sandbox.stripe_events(KEY).await
}

/// Brings the events in this order, a round at a time, and holds that each has its end.
async fn play(events: &[Value]) -> BTreeMap<String, String> {
    let bench = Bench::new(64).await;
    for round in events.chunks(ROUND) {
        bench.store(round).await;
        bench.apply().await;
    }
    let open: Vec<String> = bench
        .all(
            "SELECT event_type || ' ' || status || ': ' || coalesce(error, '') FROM ingress.webhook_events
             WHERE status NOT IN ('applied', 'ignored') ORDER BY 1",
        )
        .await;
    assert_eq!(open, Vec::<String>::new(), "something has no end");
    rows(&bench).await
}

/// Every row, by what it is of. Facts are those of the shape that told them.
async fn rows(bench: &Bench) -> BTreeMap<String, String> {
    let rows: Vec<String> = bench
        .all(
            "SELECT stripe_customer_id || '|' || jsonb_build_array(id, email, name, created_at) FROM upcoach.users
             UNION ALL
             SELECT coalesce(stripe_transaction_id, stripe_refund_id) || '|' || jsonb_build_array(id, user_id, type, status, amount, currency,
                payment_method, description, stripe_invoice_id, stripe_charge_id, original_id, failure_reason, refunded_amount, subscription_id,
                created_at)
             FROM upcoach.transactions
             UNION ALL
             SELECT stripe_invoice_id || '|' || jsonb_build_array(id, user_id, subscription_id, transaction_id, status, amount, currency, due_date,
                paid_at, created_at)
             FROM upcoach.invoices
             UNION ALL
             SELECT stripe_subscription_id || '|' || jsonb_build_array(id, user_id, plan, status, billing_interval, amount, currency, trial_start,
                trial_end, current_period_start, current_period_end, canceled_at, created_at)
             FROM upcoach.subscriptions",
        )
        .await;
    rows.into_iter()
        .map(|row| {
            let (of, values) = row.split_once('|').expect("it was written with one");
            (of.to_owned(), values.to_owned())
        })
        .collect()
}

/// What differs, so that a failure is readable.
fn same(ours: &BTreeMap<String, String>, others: &BTreeMap<String, String>, what: &str) {
    let keys = ours.keys().chain(others.keys());
    let different: Vec<String> = keys
        .filter(|key| ours.get(*key) != others.get(*key))
        .map(|key| format!("{key}\n  {:?}\n  {:?}", ours.get(key), others.get(key)))
        .collect();
    assert!(different.is_empty(), "{what}: {} rows differ\n{}", different.len(), different.join("\n"));
}

fn kind(event: &Value) -> &str {
    event["data"]["object"]["object"].as_str().unwrap_or_default()
}

/// The events of some kinds after all others.
fn last(events: &[Value], kinds: &[&str]) -> Vec<Value> {
    let (late, early): (Vec<&Value>, Vec<&Value>) = events.iter().partition(|event| kinds.contains(&kind(event)));
    early.into_iter().chain(late).cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_plot_ends_in_the_same_rows_whatever_comes_last() {
    let events = told_in("current", &["all"], 44).await;
    let expected = play(&events).await;
    assert!(expected.len() > 150, "{}", expected.len());
    let reversed: Vec<Value> = events.iter().rev().cloned().collect();
    let mut shuffled = events.clone();
    Dice(9).shuffle(&mut shuffled);
    let doubled: Vec<Value> = events
        .iter()
        .chain(&reversed)
        .enumerate()
        .map(|(nth, event)| {
            let mut event = event.clone();
            event["id"] = format!("{}_{nth}", event["id"].as_str().unwrap_or_default()).into();
            event
        })
        .collect();
    for (what, order) in [
        ("the user last", last(&events, &["customer"])),
        ("the payment last", last(&events, &["payment_intent", "charge", "invoice_payment"])),
        ("the subscription last", last(&events, &["subscription"])),
        ("the invoice last", last(&events, &["invoice"])),
        ("the newest first", reversed),
        ("any order", shuffled),
        ("all of them twice, forwards and backwards", doubled),
    ] {
        same(&play(&order).await, &expected, what);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_plot_ends_in_the_same_rows_in_the_shapes_of_all_api_versions() {
    let expected = play(&told_in("current", &["all"], 44).await).await;
    for shape in ["legacy", "oldest"] {
        let events = told_in(shape, &["all"], 44).await;
        same(&play(&events).await, &expected, shape);
        same(&play(&last(&events, &["customer"])).await, &expected, &format!("{shape}, the user last"));
        let payment_last = last(&events, &["payment_intent", "charge"]);
        same(&play(&payment_last).await, &expected, &format!("{shape}, the payment last"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_without_a_plan_and_an_odd_interval_are_quarantined_and_told_and_the_money_is_booked() {
    for (plot, word) in [("unknown-price", "price"), ("odd-interval", "every 6 month")] {
        let events = told_in("current", &[plot], 2).await;
        let bench = Bench::new(64).await;
        bench.store(&events).await;
        bench.apply().await;
        let reasons: Vec<String> = bench
            .all("SELECT error FROM ingress.webhook_events WHERE status = 'quarantined' AND event_type LIKE 'customer.subscription.%'")
            .await;
        assert!(!reasons.is_empty() && reasons.iter().all(|reason| reason.contains(word)), "{plot}: {reasons:?}");
        let others: i64 = bench
            .one(
                "SELECT count(*) FROM ingress.webhook_events WHERE status NOT IN ('applied', 'ignored', 'quarantined')",
            )
            .await;
        assert_eq!(others, 0, "{plot}");
        let paid: i64 = bench.one("SELECT count(*) FROM upcoach.transactions WHERE status = 'completed'").await;
        assert!(paid > 0, "{plot}");
    }
}
