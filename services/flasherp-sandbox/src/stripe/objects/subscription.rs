//! Subscriptions and their items. Before 2025-03-31 the current period is the subscription's, after it the items'.

use serde_json::{Map, Value, json};

use super::{add, customer::Payer, list};
use crate::stripe::{
    ApiShape,
    catalog::Price,
    teller::{Handle, Teller},
};

/// What a subscription is for: prices and how many of each. All have one interval and one currency.
pub(in crate::stripe) type Basket = Vec<(Price, i64)>;

/// A period, in unix seconds; its end is the next one's start.
pub(in crate::stripe) type Period = (i64, i64);

/// How a subscription begins.
#[derive(Debug, Clone)]
pub(in crate::stripe) struct Start<'a> {
    pub(in crate::stripe) basket: &'a Basket,
    pub(in crate::stripe) status: &'a str,
    pub(in crate::stripe) period: Period,
    /// End of the trial, if it begins with one.
    pub(in crate::stripe) trial_end: Option<i64>,
    /// Days that each invoice may stay unpaid; charged automatically if none.
    pub(in crate::stripe) days_until_due: Option<i64>,
}

/// A new subscription.
pub(in crate::stripe) fn draw(teller: &mut Teller<'_>, payer: &Payer, start: &Start<'_>) -> Handle {
    let id = teller.draw_id("sub_");
    let items = items(teller, &id, start.basket, start.period);
    let now = teller.now();
    let currency = start.basket.first().map_or("usd", |(price, _)| price.currency.code());
    let mut subscription = json!({
        "id": id,
        "object": "subscription",
        "application": null,
        "application_fee_percent": null,
        "automatic_tax": { "enabled": false, "liability": null },
        "billing_cycle_anchor": start.trial_end.unwrap_or(now),
        "billing_thresholds": null,
        "cancel_at": null,
        "cancel_at_period_end": false,
        "canceled_at": null,
        "cancellation_details": { "comment": null, "feedback": null, "reason": null },
        "collection_method": if start.days_until_due.is_some() { "send_invoice" } else { "charge_automatically" },
        "created": now,
        "currency": currency,
        "customer": teller.get(payer.customer, "id"),
        "days_until_due": start.days_until_due,
        "default_payment_method": payer.method,
        "default_source": null,
        "default_tax_rates": [],
        "description": null,
        "discounts": [],
        "ended_at": null,
        "invoice_settings": { "account_tax_ids": null, "issuer": { "type": "self" } },
        "items": items,
        "latest_invoice": null,
        "livemode": teller.options.livemode,
        "metadata": {},
        "next_pending_invoice_item_invoice": null,
        "on_behalf_of": null,
        "pause_collection": null,
        "payment_settings": { "payment_method_options": null, "payment_method_types": null, "save_default_payment_method": "off" },
        "pending_invoice_item_interval": null,
        "pending_setup_intent": null,
        "pending_update": null,
        "schedule": null,
        "start_date": now,
        "status": start.status,
        "test_clock": null,
        "transfer_data": null,
        "trial_end": start.trial_end,
        "trial_settings": { "end_behavior": { "missing_payment_method": "create_invoice" } },
        "trial_start": start.trial_end.map(|_| now),
    });
    match teller.shape() {
        ApiShape::Current => {
            add(&mut subscription, [("billing_mode", json!({ "type": "classic" })), ("customer_account", Value::Null)])
        }
        ApiShape::Legacy | ApiShape::Oldest => {
            let (from, until) = start.period;
            let single = match start.basket.as_slice() {
                [(price, quantity)] => Some((price.render_plan(teller.options.livemode), *quantity)),
                _ => None,
            };
            add(
                &mut subscription,
                [
                    ("current_period_start", json!(from)),
                    ("current_period_end", json!(until)),
                    ("discount", Value::Null),
                    ("plan", single.as_ref().map_or(Value::Null, |(plan, _)| plan.clone())),
                    ("quantity", single.map_or(Value::Null, |(_, quantity)| json!(quantity))),
                ],
            );
        }
    }
    teller.add(subscription)
}

/// The same subscription with these items, each new.
pub(in crate::stripe) fn sells(teller: &mut Teller<'_>, subscription: Handle, basket: &Basket, period: Period) {
    let id = teller.id(subscription);
    let items = items(teller, &id, basket, period);
    let mut fields = json!({ "items": items });
    if !teller.is_current()
        && let [(price, quantity)] = basket.as_slice()
    {
        add(&mut fields, [("plan", price.render_plan(teller.options.livemode)), ("quantity", json!(quantity))]);
    }
    teller.change(subscription, fields);
}

/// Its next period.
pub(in crate::stripe) fn enters(teller: &mut Teller<'_>, subscription: Handle, (from, until): Period) {
    if !teller.is_current() {
        teller.change(subscription, json!({ "current_period_start": from, "current_period_end": until }));
        return;
    }
    let mut items = teller.get(subscription, "items").clone();
    for item in items.get_mut("data").and_then(Value::as_array_mut).into_iter().flatten() {
        add(item, [("current_period_start", json!(from)), ("current_period_end", json!(until))]);
    }
    teller.change(subscription, json!({ "items": items }));
}

/// The id of its n-th item.
pub(super) fn item_id(teller: &Teller<'_>, subscription: Handle, nth: usize) -> Value {
    teller.get(subscription, "items").pointer(&format!("/data/{nth}/id")).cloned().unwrap_or(Value::Null)
}

fn items(teller: &mut Teller<'_>, subscription: &str, basket: &Basket, (from, until): Period) -> Value {
    let mut data = Vec::new();
    for (price, quantity) in basket {
        let id = teller.draw_id("si_");
        let mut item = Map::from_iter([
            ("id".to_owned(), json!(id)),
            ("object".to_owned(), json!("subscription_item")),
            ("billing_thresholds".to_owned(), Value::Null),
            ("created".to_owned(), json!(teller.now())),
            ("discounts".to_owned(), json!([])),
            ("metadata".to_owned(), json!({})),
            ("plan".to_owned(), price.render_plan(teller.options.livemode)),
            ("price".to_owned(), price.render(teller.shape(), teller.options.livemode)),
            ("quantity".to_owned(), json!(quantity)),
            ("subscription".to_owned(), json!(subscription)),
            ("tax_rates".to_owned(), json!([])),
        ]);
        if teller.is_current() {
            item.insert("current_period_start".into(), json!(from));
            item.insert("current_period_end".into(), json!(until));
        }
        data.push(Value::Object(item));
    }
    list(format!("/v1/subscription_items?subscription={subscription}"), data)
}
