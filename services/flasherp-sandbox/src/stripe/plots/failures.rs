//! Payments of subscriptions that fail.

use serde_json::json;

use super::{
    beats,
    billing::{self, Open, Plan},
    subscriptions::{active, draw_basket},
};
use crate::stripe::{EventKind, objects::charge::Decline, teller::Teller};

/// Past due for three days, then paid.
pub(super) fn recovered(teller: &mut Teller<'_>) {
    let (plan, open) = past_due(teller);
    teller.pass_days(3);
    open.is_paid(teller, &plan.payer);
    plan.becomes(teller, "active");
}

/// Three more tries, all refused.
pub(super) fn unrecovered(teller: &mut Teller<'_>) {
    let (plan, open) = past_due(teller);
    for next in [Some(5), Some(7), None] {
        teller.pass_days(3);
        open.is_refused(teller, &plan.payer, Decline::EXPIRED, next);
    }
    teller.pass_days(1);
    billing::transition(teller, open.invoice, "uncollectible", "marked_uncollectible_at");
    teller.change(open.invoice, json!({ "auto_advance": false }));
    teller.tell(EventKind::Invoice, "invoice.marked_uncollectible", open.invoice);
    plan.ends(teller, "payment_failed");
}

/// The card is refused at the first invoice, and a day later it is too late.
pub(super) fn never_begun(teller: &mut Teller<'_>) {
    let basket = draw_basket(teller);
    teller.ends_after_months(0);
    let payer = beats::customer(teller);
    let plan = Plan::begins(teller, payer, basket, "incomplete", None);
    let open = plan.bills(teller, plan.lines(), "subscription_create");
    open.is_refused(teller, &plan.payer, Decline::FUNDS, None);
    teller.pass_days(1);
    billing::transition(teller, open.invoice, "void", "voided_at");
    teller.change(open.invoice, json!({ "auto_advance": false }));
    teller.tell(EventKind::Invoice, "invoice.voided", open.invoice);
    beats::is_given_up(teller, open.intent, "void_invoice");
    let now = teller.now();
    teller.change(plan.handle, json!({ "ended_at": now }));
    plan.becomes(teller, "incomplete_expired");
}

fn past_due(teller: &mut Teller<'_>) -> (Plan, Open) {
    let basket = draw_basket(teller);
    let mut plan = active(teller, basket, 1);
    plan.renews(teller);
    plan.is_updated(teller);
    let open = plan.bills(teller, plan.lines(), "subscription_cycle");
    open.is_refused(teller, &plan.payer, Decline::FUNDS, Some(3));
    plan.becomes(teller, "past_due");
    (plan, open)
}
