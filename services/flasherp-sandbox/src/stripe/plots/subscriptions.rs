//! Subscriptions that are paid: renewed, changed, cancelled.

use rand::{Rng, seq::IndexedRandom};
use serde_json::json;

use super::{
    beats,
    billing::{self, Plan},
};
use crate::stripe::{
    catalog::{Interval, Item, Price},
    objects::{
        invoice::Line,
        subscription::{self, Basket},
    },
    teller::Teller,
};

/// Any plan and interval, in any currency.
pub(super) fn draw_basket(teller: &mut Teller<'_>) -> Basket {
    let currency = teller.draw_currency();
    let item = [Item::Basic, Item::Pro, Item::Team, Item::Enterprise].choose(&mut teller.random).copied();
    let interval = Interval::USUAL.choose(&mut teller.random).copied().unwrap_or(Interval::Monthly);
    vec![(Price::of(item.unwrap_or(Item::Pro), interval, currency), 1)]
}

/// A customer whose subscription is active, paid for its first period; it has begun so long ago that `periods` more fit.
pub(super) fn active(teller: &mut Teller<'_>, basket: Basket, periods: i32) -> Plan {
    teller.ends_after_months(billing::months(&basket) * periods);
    let payer = beats::customer(teller);
    let plan = Plan::begins(teller, payer, basket, "incomplete", None);
    let open = plan.bills(teller, plan.lines(), "subscription_create");
    // The customer types in the card.
    teller.pass();
    open.is_paid(teller, &plan.payer);
    plan.becomes(teller, "active");
    plan
}

/// The next period, billed and paid.
pub(super) fn renew(teller: &mut Teller<'_>, plan: &mut Plan) {
    plan.renews(teller);
    plan.is_updated(teller);
    plan.is_billed_and_paid(teller, "subscription_cycle");
}

pub(super) fn renewed(teller: &mut Teller<'_>) {
    let basket = draw_basket(teller);
    let mut plan = active(teller, basket, 1);
    renew(teller, &mut plan);
}

pub(super) fn several_items(teller: &mut Teller<'_>) {
    let (currency, seats) = (teller.draw_currency(), teller.random.random_range(2..=9));
    let interval = Interval::USUAL.choose(&mut teller.random).copied().unwrap_or(Interval::Monthly);
    let of = |seats| {
        vec![(Price::of(Item::Team, interval, currency), 1), (Price::of(Item::Seat, interval, currency), seats)]
    };
    let mut plan = active(teller, of(seats), 1);
    teller.pass_days(3);
    plan.basket = of(seats + 1);
    subscription::sells(teller, plan.handle, &plan.basket, plan.period);
    plan.is_updated(teller);
    renew(teller, &mut plan);
}

pub(super) fn plan_change(teller: &mut Teller<'_>) {
    let currency = teller.draw_currency();
    let price = |item, interval| Price::of(item, interval, currency);
    let mut plan = active(teller, vec![(price(Item::Basic, Interval::Monthly), 1)], 1);
    // Dearer at once: the unused half is credited, the new half is charged.
    teller.pass_days(15);
    let (old, new) = (price(Item::Basic, Interval::Monthly), price(Item::Pro, Interval::Monthly));
    plan.basket = vec![(new.clone(), 1)];
    subscription::sells(teller, plan.handle, &plan.basket, plan.period);
    plan.is_updated(teller);
    let rest = (teller.now().min(plan.period.1), plan.period.1);
    let half = |price: &Price, sign: i64, what: &str| Line {
        amount: sign * currency.part(price.amount, 50),
        period: rest,
        is_proration: true,
        description: format!("{what} time on {}", price.item.plan().unwrap_or("offer")),
        ..billing::line(price, 1, rest)
    };
    let open = plan.bills(teller, vec![half(&old, -1, "Unused"), half(&new, 1, "Remaining")], "subscription_update");
    open.is_paid(teller, &plan.payer);
    // From the next period on paid by the year.
    plan.basket = vec![(price(Item::Pro, Interval::Yearly), 1)];
    subscription::sells(teller, plan.handle, &plan.basket, plan.period);
    renew(teller, &mut plan);
}

/// Told and left, since UpCoach can't place it.
pub(super) fn unknown_price(teller: &mut Teller<'_>) {
    let currency = teller.draw_currency();
    active(teller, vec![(Price::of(Item::Unnamed, Interval::Monthly, currency), 1)], 0);
}

pub(super) fn odd_interval(teller: &mut Teller<'_>) {
    let currency = teller.draw_currency();
    active(teller, vec![(Price::of(Item::Pro, Interval::Biannual, currency), 1)], 0);
}

pub(super) fn cancellation(teller: &mut Teller<'_>) {
    let basket = draw_basket(teller);
    let plan = active(teller, basket, 1);
    teller.pass_days(10);
    let (now, until) = (teller.now(), plan.period.1);
    teller.change(
        plan.handle,
        json!({
            "cancel_at_period_end": true, "cancel_at": until, "canceled_at": now,
            "cancellation_details": { "comment": null, "feedback": "too_expensive", "reason": "cancellation_requested" },
        }),
    );
    plan.is_updated(teller);
    teller.pass_until(until);
    plan.ends(teller, "cancellation_requested");
}

pub(super) fn cancellation_at_once(teller: &mut Teller<'_>) {
    let basket = draw_basket(teller);
    teller.ends_after_months(0);
    let payer = beats::customer(teller);
    let plan = Plan::begins(teller, payer, basket, "active", None);
    let charge = plan.is_billed_and_paid(teller, "subscription_create");
    teller.pass_days(4);
    plan.ends(teller, "cancellation_requested");
    let part = teller.currency(charge).part(teller.number(charge, "amount"), 80);
    beats::goes_back(teller, charge, part, "succeeded");
}
