//! Payment intents: what is to be paid, over however many tries.

use serde_json::{Value, json};

use super::{add, customer::Payer};
use crate::stripe::{
    StripeCurrency,
    teller::{Handle, Teller},
};

/// What is paid for.
#[derive(Debug, Clone, Copy)]
pub(in crate::stripe) struct Purpose<'a> {
    pub(in crate::stripe) description: &'a str,
    pub(in crate::stripe) invoice: Option<Handle>,
}

impl Purpose<'_> {
    /// A single payment, without an invoice.
    pub(in crate::stripe) const COACHING: Purpose<'static> = Purpose { description: "Coaching", invoice: None };
}

/// A payment intent that waits for its first try.
pub(in crate::stripe) fn draw(
    teller: &mut Teller<'_>,
    payer: &Payer,
    amount: i64,
    currency: StripeCurrency,
    purpose: Purpose<'_>,
) -> Handle {
    let id = teller.draw_id("pi_");
    let secret = teller.draw_id("secret_");
    let invoice = purpose.invoice.map(|invoice| teller.id(invoice));
    let mut intent = json!({
        "id": id,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": { "tip": {} },
        "amount_received": 0,
        "application": null,
        "application_fee_amount": null,
        "automatic_payment_methods": null,
        "canceled_at": null,
        "cancellation_reason": null,
        "capture_method": "automatic",
        "client_secret": format!("{id}_{secret}"),
        "confirmation_method": "automatic",
        "created": teller.now(),
        "currency": currency.code(),
        "customer": teller.id(payer.customer),
        "description": purpose.description,
        "last_payment_error": null,
        "latest_charge": null,
        "livemode": teller.options.livemode,
        "metadata": {},
        "next_action": null,
        "on_behalf_of": null,
        "payment_method": payer.method,
        "payment_method_configuration_details": null,
        "payment_method_options": {
            "card": { "installments": null, "mandate_options": null, "network": null, "request_three_d_secure": "automatic" },
        },
        "payment_method_types": ["card"],
        "processing": null,
        "receipt_email": null,
        "review": null,
        "setup_future_usage": null,
        "shipping": null,
        "source": null,
        "statement_descriptor": null,
        "statement_descriptor_suffix": null,
        "status": "requires_confirmation",
        "transfer_data": null,
        "transfer_group": null,
    });
    if teller.is_current() {
        add(&mut intent, [("customer_account", Value::Null), ("excluded_payment_method_types", Value::Null)]);
    } else {
        add(&mut intent, [("invoice", json!(invoice))]);
    }
    teller.add(intent)
}
