//! Where the stories end.

use domain::stripe_uuid;

use super::stories::{Shape, Story};
use super::{System, parse, system_after};
use crate::inbound::stripe::transaction::Transaction;

fn after(events: &[serde_json::Value]) -> System {
    system_after(&events.iter().map(parse).collect::<Vec<_>>())
}

fn transaction<'a>(system: &'a System, stripe_id: &str) -> &'a Transaction {
    system.books.transactions.find(stripe_id).unwrap_or_else(|| panic!("no transaction of {stripe_id}"))
}

#[test]
fn a_payment_that_failed_first_is_one_completed_transaction_with_its_invoice_and_subscription() {
    for shape in [Shape::Legacy, Shape::Current] {
        let system = after(&Story::new(1, shape).payment());
        assert_eq!(system.books.transactions.made().len(), 1);
        let payment = transaction(&system, "pi_1");
        assert_eq!((payment.status.as_str(), payment.amount, payment.currency.as_str()), ("completed", 4900, "usd"));
        assert_eq!(payment.id, stripe_uuid("pi_1"));
        assert_eq!(payment.user_id, stripe_uuid("cus_1"));
        assert_eq!(payment.subscription_id, Some(stripe_uuid("sub_1")));
        assert_eq!(payment.stripe_invoice_id.as_deref(), Some("in_1"));
        assert_eq!(payment.stripe_charge_id.as_deref(), Some("ch_1_2"));
        assert_eq!(payment.payment_method.as_deref(), Some("card"));
        assert_eq!(payment.failure_reason, None);
        let invoice = system.books.invoices.find("in_1").expect("an invoice");
        assert_eq!((invoice.status.as_str(), invoice.amount), ("paid", 4900));
        assert_eq!(invoice.transaction_id, Some(payment.id));
        assert!(invoice.paid_at.is_some());
    }
}

#[test]
fn both_shapes_of_a_story_end_in_the_same_rows() {
    // Whatever tells it: of the facts behind the rows only the columns are compared.
    let columns = |shape| {
        let story = Story::new(1, shape);
        let mut events = story.payment();
        if shape == Shape::Current {
            events.push(story.charge("failed", 4, &story.charge_object("failed", 1, 0)));
        }
        events.extend(story.refunds());
        events.extend(story.lost_dispute());
        events.extend(story.subscription_life());
        let system = after(&events);
        let mut transactions: Vec<Transaction> = system.books.transactions.made().into_iter().cloned().collect();
        let mut invoices: Vec<_> = system.books.invoices.made().into_iter().cloned().collect();
        let mut subscriptions: Vec<_> = system.books.subscriptions.made().into_iter().cloned().collect();
        transactions.iter_mut().for_each(|row| row.stripe_facts = Default::default());
        invoices.iter_mut().for_each(|row| row.stripe_facts = Default::default());
        subscriptions.iter_mut().for_each(|row| row.stripe_facts = Default::default());
        format!("{transactions:#?}{invoices:#?}{subscriptions:#?}")
    };
    assert_eq!(columns(Shape::Legacy), columns(Shape::Current));
}

#[test]
fn what_has_gone_back_is_the_sum_of_the_refunds_that_succeeded() {
    let story = Story::new(1, Shape::Current);
    let events = story.refunds();
    let system = after(&events);
    let (payment, one, two) =
        (transaction(&system, "pi_1"), transaction(&system, "re_1_1"), transaction(&system, "re_1_2"));
    assert_eq!((payment.status.as_str(), payment.refunded_amount), ("partially_refunded", 1225));
    assert_eq!((one.kind.as_str(), one.status.as_str(), one.amount), ("refund", "completed", 1225));
    assert_eq!((two.status.as_str(), two.failure_reason.as_deref()), ("failed", Some("lost_or_stolen_card")));
    assert_eq!((one.original_id, one.stripe_transaction_id.as_deref()), (Some(payment.id), None));
    assert_eq!(one.user_id, payment.user_id);

    let mut system = system;
    system.take(&parse(&story.refund("refund.created", 120, &story.refund_object(3, 4900 - 1225, "succeeded"))));
    let payment = transaction(&system, "pi_1");
    assert_eq!((payment.status.as_str(), payment.refunded_amount), ("refunded", 4900));
}

#[test]
fn refunds_that_an_old_charge_lists_are_refunds() {
    let story = Story::new(1, Shape::Legacy);
    let mut charge = story.charge_object("succeeded", 2, 4900);
    charge["refunds"] = serde_json::json!({"object": "list", "data": [story.refund_object(1, 4900, "succeeded")]});
    let system = after(&[story.customer("created", 0, "a@example.com", None), story.charge("refunded", 103, &charge)]);
    assert_eq!(transaction(&system, "pi_1").status, "refunded");
    assert_eq!(transaction(&system, "re_1_1").amount, 4900);
}

#[test]
fn a_dispute_is_a_chargeback_pending_then_lost_or_won_and_an_inquiry_moves_no_money() {
    let story = Story::new(1, Shape::Current);
    let paid = [story.customer("created", 0, "a@example.com", None), story.intent("succeeded", 9, 2)];
    let with = |disputes: &[serde_json::Value]| after(&paid.iter().chain(disputes).cloned().collect::<Vec<_>>());

    let inquiry = with(&[
        story.dispute("created", 200, "warning_needs_response"),
        story.dispute("closed", 220, "warning_closed"),
    ]);
    assert!(inquiry.books.transactions.find("dp_1").is_none());
    assert_eq!(inquiry.books.alerts.len(), 2);

    let open = with(&[story.dispute("created", 200, "needs_response")]);
    let chargeback = transaction(&open, "dp_1");
    assert_eq!(
        (chargeback.kind.as_str(), chargeback.status.as_str(), chargeback.amount),
        ("chargeback", "pending", 4900)
    );
    assert_eq!(chargeback.original_id, Some(stripe_uuid("pi_1")));
    assert_eq!(transaction(&open, "pi_1").status, "completed");

    let lost = with(&[story.dispute("closed", 230, "lost"), story.dispute("funds_withdrawn", 230, "needs_response")]);
    assert_eq!(transaction(&lost, "dp_1").status, "completed");
    let won = with(&[story.dispute("created", 200, "needs_response"), story.dispute("funds_reinstated", 240, "won")]);
    assert_eq!(
        (transaction(&won, "dp_1").status.as_str(), transaction(&won, "dp_1").failure_reason.as_deref()),
        ("failed", Some("won"))
    );
}

#[test]
fn a_subscription_ends_cancelled_at_the_price_it_had_last() {
    let system = after(&Story::new(1, Shape::Current).subscription_life());
    let subscription = system.books.subscriptions.find("sub_1").expect("a subscription");
    assert_eq!((subscription.status.as_str(), subscription.plan.as_str()), ("canceled", "pro"));
    assert_eq!((subscription.billing_interval.as_str(), subscription.amount), ("monthly", 4900));
    assert!(subscription.canceled_at.is_some() && subscription.current_period_end.is_some());
}

#[test]
fn a_failed_payment_makes_what_runs_past_due_until_the_subscription_tells_something_newer() {
    let story = Story::new(1, Shape::Current);
    let status = |events: &[serde_json::Value]| {
        let mut all = vec![story.customer("created", 0, "a@example.com", None)];
        all.extend_from_slice(events);
        let system = after(&all);
        let subscription = system.books.subscriptions.find("sub_1").expect("a subscription");
        (subscription.status.clone(), subscription.plan.clone())
    };
    let failed = story.invoice("payment_failed", 50, "open");
    let active = |at, plan| story.subscription("updated", at, "active", plan, None);
    let is = |status: &str, plan: &str| (status.to_owned(), plan.to_owned());
    assert_eq!(status(&[active(10, "basic"), failed.clone()]), is("past_due", "basic"));
    // older, and later: its fields, not its status
    assert_eq!(status(&[active(10, "basic"), failed.clone(), active(40, "pro")]), is("past_due", "pro"));
    assert_eq!(status(&[active(60, "basic"), failed.clone()]), is("active", "basic"));
    assert_eq!(
        status(&[story.subscription("updated", 10, "incomplete", "pro", None), failed.clone()]),
        is("incomplete", "pro")
    );
    assert_eq!(status(&[failed, story.subscription("updated", 10, "trialing", "pro", None)]), is("past_due", "pro"));
}
