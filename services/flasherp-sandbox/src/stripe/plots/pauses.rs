//! Trials and pauses.

use serde_json::{Value, json};

use super::{
    beats,
    billing::{self, Plan},
    subscriptions::{self, draw_basket, renew},
};
use crate::stripe::{EventKind, calendar, objects::invoice::Line, teller::Teller};

const TRIAL_DAYS: i64 = 14;

/// Two weeks for nothing, then paid.
pub(super) fn trial(teller: &mut Teller<'_>) {
    let mut plan = on_trial(teller);
    plan.renews(teller);
    plan.becomes(teller, "active");
    plan.is_billed_and_paid(teller, "subscription_cycle");
}

/// Nobody left a card: nothing is billed until somebody does.
pub(super) fn trial_paused(teller: &mut Teller<'_>) {
    let mut plan = on_trial(teller);
    teller.change_quietly(plan.handle, json!({ "default_payment_method": null }));
    teller.pass_until(plan.period.1);
    teller.change(plan.handle, json!({ "status": "paused" }));
    teller.tell(EventKind::Subscription, "customer.subscription.paused", plan.handle);
    teller.pass_days(9);
    // The periods count from here.
    plan.period = (teller.now(), billing::period_end(&plan.basket, teller.now()));
    crate::stripe::objects::subscription::enters(teller, plan.handle, plan.period);
    let (anchor, method) = (teller.now(), plan.payer.method.clone());
    teller.change(
        plan.handle,
        json!({ "status": "active", "billing_cycle_anchor": anchor, "default_payment_method": method }),
    );
    teller.tell(EventKind::Subscription, "customer.subscription.resumed", plan.handle);
    plan.is_billed_and_paid(teller, "subscription_update");
}

/// The subscription goes on, and a period of it is not charged.
pub(super) fn collection_paused(teller: &mut Teller<'_>) {
    let basket = draw_basket(teller);
    let mut plan = subscriptions::active(teller, basket, 2);
    teller.pass_days(5);
    teller.change(plan.handle, json!({ "pause_collection": { "behavior": "void", "resumes_at": null } }));
    plan.is_updated(teller);
    plan.renews(teller);
    plan.is_updated(teller);
    let open = plan.bills(teller, plan.lines(), "subscription_cycle");
    billing::transition(teller, open.invoice, "void", "voided_at");
    teller.tell(EventKind::Invoice, "invoice.voided", open.invoice);
    beats::is_given_up(teller, open.intent, "void_invoice");
    teller.pass_days(5);
    teller.change(plan.handle, json!({ "pause_collection": null }));
    plan.is_updated(teller);
    renew(teller, &mut plan);
}

/// A trial, told up to three days before its end.
fn on_trial(teller: &mut Teller<'_>) -> Plan {
    let basket = draw_basket(teller);
    teller.ends_after_months(0);
    let payer = beats::customer(teller);
    let plan = Plan::begins(teller, payer, basket, "trialing", Some(TRIAL_DAYS));
    let lines = plan.lines().into_iter().map(|line| Line {
        amount: 0,
        description: format!("Trial period for {}", line.price.as_ref().and_then(|p| p.item.plan()).unwrap_or("offer")),
        ..line
    });
    let invoice = plan.drafts(teller, lines.collect(), "subscription_create");
    billing::finalize_empty(teller, &plan.payer, invoice);
    teller.pass_until(plan.period.1 - 3 * calendar::DAY);
    let trial_ends_soon = teller.get(plan.handle, "trial_end") != &Value::Null;
    teller.tell_if(trial_ends_soon, EventKind::Subscription, "customer.subscription.trial_will_end", plan.handle);
    plan
}
