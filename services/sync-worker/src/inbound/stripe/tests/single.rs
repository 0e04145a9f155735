//! What single events do, and what they wait for.

use domain::stripe_uuid;
use serde_json::json;
use uuid::Uuid;

use super::stories::{Shape, Story};
use super::{System, parse};
use crate::inbound::stripe::fold::{Outcome, Rules};
use crate::inbound::stripe::keys::WaitKeys;

const STORY: Story = Story::new(1, Shape::Current);

fn waits_for(outcome: &Outcome) -> (&str, Option<&str>) {
    match outcome {
        Outcome::Parked(WaitKeys { first, other }) => (first, other.as_deref()),
        other => panic!("not parked: {other:?}"),
    }
}

#[test]
fn an_event_that_names_an_unknown_user_and_an_unknown_customer_waits_for_either() {
    let user = Uuid::from_u128(7);
    let mut event = STORY.intent("succeeded", 9, 2);
    event["data"]["object"]["metadata"] = json!({"upcoachUserId": user.to_string()});
    for customer in ["cus_1", "cus_another"] {
        let mut system = System::default();
        let outcome = system.take(&parse(&event));
        assert_eq!(waits_for(&outcome), ("stripe_customer:cus_1", Some(format!("user:{user}").as_str())));
        let mut made = STORY.customer("created", 0, "a@example.com", None);
        made["data"]["object"]["id"] = json!(customer);
        made["data"]["object"]["metadata"] = json!({"upcoachUserId": user.to_string()});
        system.take(&parse(&made));
        assert_eq!(system.waiting(), 0);
        assert_eq!(system.books.transactions.find("pi_1").map(|payment| payment.user_id), Some(user));
    }
}

#[test]
fn a_payment_that_names_nobody_waits_for_its_payer_and_the_invoice_tells() {
    let mut intent = STORY.intent("succeeded", 9, 2);
    intent["data"]["object"]["customer"] = json!(null);
    for shape in [Shape::Legacy, Shape::Current] {
        let story = Story::new(1, shape);
        let mut system = System::default();
        assert_eq!(waits_for(&system.take(&parse(&intent))).0, "payer_of:pi_1");
        system.take(&parse(&story.customer("created", 0, "a@example.com", None)));
        assert_eq!(system.waiting(), 1);
        system.take(&parse(&story.invoice("paid", 10, "paid")));
        if shape == Shape::Current {
            system.take(&parse(&story.invoice_payment(10)));
        }
        assert_eq!(system.waiting(), 0);
        let payment = system.books.transactions.find("pi_1").expect("a transaction");
        assert_eq!((payment.user_id, payment.status.as_str()), (stripe_uuid("cus_1"), "completed"));
        assert_eq!(payment.description.as_deref(), Some("Subscription update"));
    }
}

#[test]
fn what_refers_to_something_unknown_waits_for_it() {
    let mut system = System::default();
    let refund = STORY.refund("refund.created", 101, &STORY.refund_object(1, 100, "succeeded"));
    assert_eq!(waits_for(&system.take(&parse(&refund))), ("payment:pi_1", Some("payment:ch_1_2")));
    assert_eq!(waits_for(&system.take(&parse(&STORY.dispute("created", 200, "lost")))).0, "payment:pi_1");
    assert_eq!(waits_for(&system.take(&parse(&STORY.invoice_payment(10)))).0, "invoice:in_1");
    let failed = STORY.invoice("payment_failed", 50, "open");
    assert_eq!(waits_for(&system.take(&parse(&failed))).0, "subscription:sub_1");
    assert_eq!(system.waiting(), 4);
    system.take(&parse(&STORY.customer("created", 0, "a@example.com", None)));
    system.take(&parse(&STORY.subscription("created", 1, "active", "pro", None)));
    system.take(&parse(&STORY.invoice("paid", 10, "paid")));
    assert_eq!(system.waiting(), 0);
    assert_eq!(system.books.subscriptions.find("sub_1").map(|row| row.status.as_str()), Some("past_due"));
    assert_eq!(system.books.transactions.made().len(), 3);
}

#[test]
fn nothing_to_pay_makes_no_transaction() {
    for shape in [Shape::Legacy, Shape::Current] {
        let story = Story { amount: 0, ..Story::new(1, shape) };
        let mut system = System::default();
        for event in story.payment() {
            system.take(&parse(&event));
        }
        assert_eq!(system.waiting(), 0);
        assert!(system.books.transactions.made().is_empty());
        assert_eq!(system.books.invoices.made().len(), 1);
    }
}

#[test]
fn a_cancelled_payment_is_failed_and_an_invoice_paid_past_stripe_completes_none() {
    let story = Story::new(1, Shape::Legacy);
    let mut system = System::default();
    system.take(&parse(&story.customer("created", 0, "a@example.com", None)));
    let mut paid = story.invoice("paid", 12, "paid");
    paid["data"]["object"]["paid_out_of_band"] = json!(true);
    system.take(&parse(&paid));
    system.take(&parse(&story.intent("canceled", 11, 1)));
    let payment = system.books.transactions.find("pi_1").expect("a transaction");
    assert_eq!((payment.status.as_str(), payment.failure_reason.as_deref()), ("failed", Some("canceled")));
    assert_eq!(system.books.invoices.find("in_1").map(|row| row.status.as_str()), Some("paid"));
}

#[test]
fn a_charge_that_is_only_reserved_is_pending_and_one_without_intent_is_a_payment_of_its_own() {
    let mut charge = STORY.charge_object("succeeded", 2, 0);
    charge["captured"] = json!(false);
    charge["payment_intent"] = json!(null);
    let mut system = System::default();
    system.take(&parse(&STORY.customer("created", 0, "a@example.com", None)));
    system.take(&parse(&STORY.charge("succeeded", 9, &charge)));
    let row = system.books.transactions.find("ch_1_2").expect("a transaction");
    assert_eq!((row.id, row.status.as_str()), (stripe_uuid("ch_1_2"), "pending"));
    charge["captured"] = json!(true);
    charge["balance_transaction"] =
        json!({"id": "txn_1", "object": "balance_transaction", "fee": 172, "net": 4728, "currency": "usd"});
    system.take(&parse(&STORY.charge("updated", 12, &charge)));
    let row = system.books.transactions.find("ch_1_2").expect("a transaction");
    assert_eq!((row.status.as_str(), row.fee, row.net), ("completed", Some(172), Some(4728)));
}

#[test]
fn a_later_word_on_an_earlier_attempt_changes_nothing() {
    let mut system = System::default();
    system.take(&parse(&STORY.customer("created", 0, "a@example.com", None)));
    system.take(&parse(&STORY.charge("succeeded", 9, &STORY.charge_object("succeeded", 2, 0))));
    system.take(&parse(&STORY.charge("updated", 500, &STORY.charge_object("failed", 1, 0))));
    let row = system.books.transactions.find("pi_1").expect("a transaction");
    assert_eq!((row.status.as_str(), row.stripe_charge_id.as_deref()), ("completed", Some("ch_1_2")));
}

#[test]
fn of_customer_updates_in_one_second_the_last_of_the_chain_wins_in_any_order() {
    let updates = [
        STORY.customer("created", 5, "a@example.com", None),
        STORY.customer("updated", 5, "z@example.com", Some("a@example.com")),
        STORY.customer("updated", 5, "b@example.com", Some("z@example.com")),
    ];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut system = System::default();
        for index in order {
            system.take(&parse(&updates[index]));
        }
        let users = system.books.users.made();
        assert_eq!(users[0].email.as_deref(), Some("b@example.com"), "{order:?}");
    }
}

#[test]
fn test_mode_is_ignored_in_production_alone() {
    let mut event = STORY.customer("created", 0, "a@example.com", None);
    event["livemode"] = json!(false);
    let mut production = System { rules: Rules { production: true, ..Rules::default() }, ..System::default() };
    assert_eq!(production.take(&parse(&event)), Outcome::Ignored);
    assert!(production.books.users.made().is_empty());
    assert!(matches!(System::default().take(&parse(&event)), Outcome::Applied(_)));
    event["livemode"] = json!(true);
    assert!(matches!(production.take(&parse(&event)), Outcome::Applied(_)));
}

#[test]
fn an_imported_payment_keeps_what_stripe_does_not_tell() {
    let mut system = System::default();
    system.take(&parse(&STORY.customer("created", 0, "a@example.com", None)));
    system.take(&parse(&STORY.intent("succeeded", 9, 2)));
    let mut imported = system.books.transactions.find("pi_1").cloned().expect("a transaction");
    imported.stripe_facts = Default::default();
    imported.description = Some("Coaching in March".to_owned());
    let mut system = System::default();
    system.books.transactions.load([imported]);
    system.take(&parse(&STORY.customer("created", 0, "a@example.com", None)));
    system.take(&parse(&STORY.refund("refund.created", 101, &STORY.refund_object(1, 100, "succeeded"))));
    let row = system.books.transactions.find("pi_1").cloned().expect("a transaction");
    assert_eq!((row.status.as_str(), row.refunded_amount), ("partially_refunded", 100));
    let mut charge = STORY.charge_object("succeeded", 2, 100);
    charge["description"] = json!(null);
    for at in [110, 111] {
        system.take(&parse(&STORY.charge("updated", at, &charge)));
    }
    let row = system.books.transactions.find("pi_1").expect("a transaction");
    assert_eq!(row.description.as_deref(), Some("Coaching in March"));
    assert_eq!((row.status.as_str(), row.refunded_amount), ("partially_refunded", 100));
}

fn wanted(system: &System) -> Vec<(&'static str, &str)> {
    system.books.wants.iter().map(|want| (want.what.as_str(), want.id.as_str())).collect()
}

fn paid() -> System {
    let mut system = System::default();
    system.take(&parse(&STORY.customer("created", 0, "a@example.com", None)));
    system.take(&parse(&STORY.charge("succeeded", 9, &STORY.charge_object("succeeded", 2, 0))));
    system
}

#[test]
fn a_charge_that_counts_refunds_nobody_told_of_waits_for_each_and_asks_for_them() {
    let mut system = paid();
    let part = STORY.amount / 4;
    let refunded = STORY.charge("refunded", 103, &STORY.charge_object("succeeded", 2, part * 2));
    assert_eq!(waits_for(&system.take(&parse(&refunded))).0, "refund_of:ch_1_2:0");
    assert_eq!(wanted(&system), [("refunds_of_charge", "ch_1_2")]);
    system.take(&parse(&STORY.refund("refund.created", 101, &STORY.refund_object(1, part, "succeeded"))));
    assert_eq!(system.waiting(), 1, "one is missing still");
    system.take(&parse(&STORY.refund("refund.created", 102, &STORY.refund_object(2, part, "succeeded"))));
    assert_eq!(system.waiting(), 0);
    assert_eq!(system.books.transactions.find("pi_1").map(|payment| payment.refunded_amount), Some(part * 2));
}

#[test]
fn a_refund_that_failed_before_is_not_one_that_the_charge_counts_and_one_that_failed_later_is() {
    let part = STORY.amount / 4;
    let refunded = STORY.charge("refunded", 103, &STORY.charge_object("succeeded", 2, part));
    for (failed_at, waits) in [(102, 1), (110, 0)] {
        let mut system = paid();
        system.take(&parse(&STORY.refund("refund.failed", failed_at, &STORY.refund_object(1, part, "failed"))));
        system.take(&parse(&refunded));
        assert_eq!(system.waiting(), waits, "failed at {failed_at}");
    }
}

#[test]
fn what_was_only_reserved_and_let_go_is_no_refund() {
    let mut system = paid();
    let mut charge = STORY.charge_object("succeeded", 2, STORY.amount);
    charge["captured"] = json!(false);
    system.take(&parse(&STORY.charge("refunded", 103, &charge)));
    assert_eq!((system.waiting(), wanted(&system)), (0, vec![]));
}

#[test]
fn a_fee_is_asked_for_where_the_event_has_but_its_id_and_never_twice_or_for_a_failure() {
    let mut charge = STORY.charge_object("succeeded", 2, 0);
    charge["balance_transaction"] = json!("txn_1");
    let mut system = System::default();
    system.take(&parse(&STORY.customer("created", 0, "a@example.com", None)));
    system.take(&parse(&STORY.charge("succeeded", 9, &charge)));
    assert_eq!(wanted(&system), [("charge", "ch_1_2")]);

    // What was read tells it, over whatever an event of that second told.
    let mut read = charge.clone();
    read["balance_transaction"] = json!({"id": "txn_1", "object": "balance_transaction", "fee": 62, "net": STORY.amount - 62, "currency": STORY.currency});
    let as_of = system.books.wants.iter().next().expect("one").as_of;
    let pulled = webhooks::stripe::pulled(&read.to_string(), as_of, false).expect("an object").expect("told");
    system.books.wants.clear();
    system.take(&webhooks::stripe::parse(pulled.body.as_bytes()).expect("an event"));
    system.take(&parse(&STORY.charge("updated", 30, &charge)));
    let fees = system.books.transactions.find("pi_1").map(|payment| (payment.fee, payment.net));
    assert_eq!(fees, Some((Some(62), Some(STORY.amount - 62))), "a later event without it takes nothing away");
    assert_eq!(wanted(&system), []);

    let mut failed = STORY.charge_object("failed", 3, 0);
    failed["balance_transaction"] = json!("txn_2");
    system.take(&parse(&Story::new(2, Shape::Current).customer("created", 0, "b@example.com", None)));
    system.take(&parse(&STORY.charge("failed", 40, &failed)));
    assert_eq!(wanted(&system), []);
}

#[test]
fn two_states_of_one_second_are_asked_about_unless_one_is_known_to_be_the_last() {
    let mut system = System::default();
    system.take(&parse(&STORY.customer("created", 0, "a@example.com", None)));
    system.take(&parse(&STORY.refund("refund.created", 101, &STORY.refund_object(1, 5, "pending"))));
    system.take(&parse(&STORY.intent("succeeded", 9, 2)));
    system.take(&parse(&STORY.refund("refund.updated", 101, &STORY.refund_object(1, 5, "succeeded"))));
    assert_eq!(wanted(&system), [], "what succeeded was pending before");
    let mut other = STORY.refund_object(1, 5, "succeeded");
    other["reason"] = json!("duplicate");
    system.take(&parse(&STORY.refund("charge.refund.updated", 101, &other)));
    assert_eq!(wanted(&system), [("refund", "re_1_1")]);
}
