//! Invoices, their lines, and (after 2025-03-31) the invoice payments that link them to payment intents.

use serde_json::{Value, json};

use super::{
    add,
    customer::Payer,
    list,
    subscription::{Period, item_id},
};
use crate::stripe::{
    StripeCurrency,
    catalog::Price,
    teller::{Handle, Teller},
};

/// A line of an invoice.
#[derive(Debug, Clone)]
pub(in crate::stripe) struct Line {
    pub(in crate::stripe) price: Option<Price>,
    pub(in crate::stripe) quantity: i64,
    /// In Stripe's units; negative for unused time.
    pub(in crate::stripe) amount: i64,
    pub(in crate::stripe) period: Period,
    pub(in crate::stripe) is_proration: bool,
    pub(in crate::stripe) description: String,
}

/// What an invoice is for.
#[derive(Debug, Clone)]
pub(in crate::stripe) struct Bill {
    pub(in crate::stripe) subscription: Option<Handle>,
    pub(in crate::stripe) currency: StripeCurrency,
    pub(in crate::stripe) lines: Vec<Line>,
    /// `subscription_create`, `subscription_cycle`, `subscription_update`, `manual`.
    pub(in crate::stripe) reason: &'static str,
    /// Charged automatically if none.
    pub(in crate::stripe) days_until_due: Option<i64>,
}

/// A draft.
pub(in crate::stripe) fn draw(teller: &mut Teller<'_>, payer: &Payer, bill: &Bill) -> Handle {
    let id = teller.draw_id("in_");
    let total: i64 = bill.lines.iter().map(|line| line.amount).sum();
    let subscription = bill.subscription.map(|subscription| teller.id(subscription));
    let mut lines = Vec::new();
    for (nth, line) in bill.lines.iter().enumerate() {
        let line_id = teller.draw_id("il_");
        lines.push(render_line(teller, &line_id, &id, bill, line, nth));
    }
    let period = bill.lines.first().map_or((teller.now(), teller.now()), |line| line.period);
    let now = teller.now();
    let mut invoice = json!({
        "id": id,
        "object": "invoice",
        "account_country": "US",
        "account_name": "UpCoach",
        "account_tax_ids": null,
        "amount_due": total,
        "amount_paid": 0,
        "amount_remaining": total,
        "amount_shipping": 0,
        "application": null,
        "attempt_count": 0,
        "attempted": false,
        "auto_advance": bill.days_until_due.is_none(),
        "automatic_tax": { "enabled": false, "liability": null, "status": null },
        "automatically_finalizes_at": null,
        "billing_reason": bill.reason,
        "collection_method": if bill.days_until_due.is_some() { "send_invoice" } else { "charge_automatically" },
        "created": now,
        "currency": bill.currency.code(),
        "custom_fields": null,
        "customer": teller.get(payer.customer, "id"),
        "customer_address": null,
        "customer_email": teller.get(payer.customer, "email"),
        "customer_name": teller.get(payer.customer, "name"),
        "customer_phone": null,
        "customer_shipping": null,
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
        "default_payment_method": null,
        "default_source": null,
        "default_tax_rates": [],
        "description": null,
        "discounts": [],
        "due_date": bill.days_until_due.map(|days| now + days * 24 * 60 * 60),
        "effective_at": null,
        "ending_balance": null,
        "footer": null,
        "from_invoice": null,
        "hosted_invoice_url": null,
        "invoice_pdf": null,
        "issuer": { "type": "self" },
        "last_finalization_error": null,
        "latest_revision": null,
        "lines": list(format!("/v1/invoices/{id}/lines"), lines),
        "livemode": teller.options.livemode,
        "metadata": {},
        "next_payment_attempt": null,
        "number": null,
        "on_behalf_of": null,
        "payment_settings": { "default_mandate": null, "payment_method_options": null, "payment_method_types": null },
        "period_end": period.1,
        "period_start": period.0,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": null,
        "rendering": null,
        "shipping_cost": null,
        "shipping_details": null,
        "starting_balance": 0,
        "statement_descriptor": null,
        "status": "draft",
        "status_transitions": { "finalized_at": null, "marked_uncollectible_at": null, "paid_at": null, "voided_at": null },
        "subtotal": total,
        "subtotal_excluding_tax": total,
        "test_clock": null,
        "total": total,
        "total_discount_amounts": [],
        "total_excluding_tax": total,
        "webhooks_delivered_at": null,
    });
    if teller.is_current() {
        let parent = subscription.map(|subscription| {
            json!({
                "quote_details": null,
                "subscription_details": { "metadata": {}, "subscription": subscription },
                "type": "subscription_details",
            })
        });
        add(
            &mut invoice,
            [
                ("amount_overpaid", json!(0)),
                ("confirmation_secret", Value::Null),
                ("customer_account", Value::Null),
                ("parent", json!(parent)),
                ("total_pretax_credit_amounts", json!([])),
                ("total_taxes", json!([])),
            ],
        );
    } else {
        let details = subscription.as_ref().map(|_| json!({ "metadata": {} }));
        add(
            &mut invoice,
            [
                ("application_fee_amount", Value::Null),
                ("charge", Value::Null),
                ("discount", Value::Null),
                ("paid", json!(false)),
                ("paid_out_of_band", json!(false)),
                ("payment_intent", Value::Null),
                ("quote", Value::Null),
                ("subscription", json!(subscription)),
                ("subscription_details", json!(details)),
                ("tax", Value::Null),
                ("total_tax_amounts", json!([])),
                ("transfer_data", Value::Null),
            ],
        );
    }
    teller.add(invoice)
}

fn render_line(teller: &Teller<'_>, id: &str, invoice: &str, bill: &Bill, line: &Line, nth: usize) -> Value {
    let mut rendered = json!({
        "id": id,
        "object": "line_item",
        "amount": line.amount,
        "currency": bill.currency.code(),
        "description": line.description,
        "discount_amounts": [],
        "discountable": true,
        "discounts": [],
        "invoice": invoice,
        "livemode": teller.options.livemode,
        "metadata": {},
        "period": { "end": line.period.1, "start": line.period.0 },
        "pretax_credit_amounts": [],
        "quantity": line.quantity,
    });
    let subscription =
        bill.subscription.map(|subscription| (teller.id(subscription), item_id(teller, subscription, nth)));
    let price = line.price.as_ref();
    if teller.is_current() {
        let parent = match &subscription {
            Some((subscription, item)) => json!({
                "invoice_item_details": null,
                "subscription_item_details": {
                    "invoice_item": null, "proration": line.is_proration, "proration_details": { "credited_items": null },
                    "subscription": subscription, "subscription_item": item,
                },
                "type": "subscription_item_details",
            }),
            None => json!({
                "invoice_item_details": { "invoice_item": id.replacen("il_", "ii_", 1), "proration": false, "proration_details": null, "subscription": null },
                "subscription_item_details": null,
                "type": "invoice_item_details",
            }),
        };
        let pricing = price.map(|price| {
            json!({
                "price_details": { "price": price.id, "product": price.product }, "type": "price_details",
                "unit_amount_decimal": price.amount.to_string(),
            })
        });
        add(&mut rendered, [("parent", parent), ("pricing", json!(pricing)), ("taxes", json!([]))]);
    } else {
        let livemode = teller.options.livemode;
        add(
            &mut rendered,
            [
                ("plan", json!(price.map(|price| price.render_plan(livemode)))),
                ("price", json!(price.map(|price| price.render(teller.shape(), livemode)))),
                ("proration", json!(line.is_proration)),
                ("subscription", json!(subscription.as_ref().map(|(subscription, _)| subscription))),
                ("subscription_item", json!(subscription.as_ref().map(|(_, item)| item))),
                ("tax_amounts", json!([])),
                ("tax_rates", json!([])),
                ("type", json!(if subscription.is_some() { "subscription" } else { "invoiceitem" })),
            ],
        );
    }
    rendered
}

/// The link between an invoice and the payment intent that pays it, as the API has it after 2025-03-31.
pub(in crate::stripe) fn payment(teller: &mut Teller<'_>, invoice: Handle, intent: Handle, is_paid: bool) -> Handle {
    let id = teller.draw_id("inpay_");
    let paid = is_paid.then(|| teller.number(intent, "amount"));
    let link = json!({
        "id": id,
        "object": "invoice_payment",
        "amount_paid": paid,
        "amount_requested": teller.get(intent, "amount"),
        "created": teller.now(),
        "currency": teller.get(intent, "currency"),
        "invoice": teller.get(invoice, "id"),
        "is_default": true,
        "livemode": teller.options.livemode,
        "payment": { "payment_intent": teller.get(intent, "id"), "type": "payment_intent" },
        "status": if is_paid { "paid" } else { "open" },
        "status_transitions": { "canceled_at": null, "paid_at": paid.map(|_| teller.now()) },
    });
    teller.add(link)
}
