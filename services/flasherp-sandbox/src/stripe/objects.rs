//! Stripe's objects, with the fields that the two API shapes have.

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

use super::{ApiShape, StoryOptions, StripeCurrency, ids, person};

/// A customer.
#[derive(Debug, Clone)]
pub(super) struct Customer {
    id: String,
    name: String,
    email: String,
    created: i64,
    invoice_prefix: String,
}

impl Customer {
    pub(super) fn draw(random: &mut StdRng, created: i64) -> Self {
        let name = person::draw_name(random);
        Self {
            id: ids::draw("cus_", random),
            email: person::draw_email(&name, random),
            name,
            created,
            invoice_prefix: format!("{:08X}", random.random::<u32>()),
        }
    }

    /// The same customer under another name, and what Stripe tells of the old one.
    pub(super) fn renamed(&self, random: &mut StdRng) -> (Self, Value) {
        let name = format!("{}-{}", self.name, person::draw_last_name(random));
        (Self { name, ..self.clone() }, json!({ "name": self.name }))
    }

    pub(super) fn render(&self, options: &StoryOptions) -> Value {
        json!({
            "id": self.id,
            "object": "customer",
            "address": null,
            "balance": 0,
            "created": self.created,
            "currency": null,
            "default_source": null,
            "delinquent": false,
            "description": null,
            "discount": null,
            "email": self.email,
            "invoice_prefix": self.invoice_prefix,
            "invoice_settings": {
                "custom_fields": null,
                "default_payment_method": null,
                "footer": null,
                "rendering_options": null,
            },
            "livemode": options.livemode,
            "metadata": {},
            "name": self.name,
            "next_invoice_sequence": 1,
            "phone": null,
            "preferred_locales": [],
            "shipping": null,
            "tax_exempt": "none",
            "test_clock": null,
        })
    }
}

/// A payment: its intent and its charge.
#[derive(Debug)]
pub(super) struct Payment<'a> {
    customer: &'a Customer,
    intent: String,
    secret: String,
    charge: String,
    balance_transaction: String,
    method: String,
    brand: &'static str,
    fingerprint: String,
    last4: u16,
    amount: i64,
    currency: StripeCurrency,
    created: i64,
}

impl<'a> Payment<'a> {
    pub(super) fn draw(random: &mut StdRng, customer: &'a Customer, options: &StoryOptions, created: i64) -> Self {
        let currency = options.currencies.choose(random).copied().unwrap_or(StripeCurrency::USUAL[0]);
        Self {
            customer,
            intent: ids::draw("pi_", random),
            secret: ids::draw("secret_", random),
            charge: ids::draw("ch_", random),
            balance_transaction: ids::draw("txn_", random),
            method: ids::draw("pm_", random),
            brand: ["visa", "mastercard", "amex"].choose(random).copied().unwrap_or("visa"),
            fingerprint: ids::draw("", random),
            last4: random.random_range(0..10_000),
            amount: currency.draw_amount(random),
            currency,
            created,
        }
    }

    pub(super) fn render_intent(&self, options: &StoryOptions) -> Value {
        let mut intent = json!({
            "id": self.intent,
            "object": "payment_intent",
            "amount": self.amount,
            "amount_capturable": 0,
            "amount_details": { "tip": {} },
            "amount_received": self.amount,
            "application": null,
            "application_fee_amount": null,
            "automatic_payment_methods": null,
            "canceled_at": null,
            "cancellation_reason": null,
            "capture_method": "automatic",
            "client_secret": format!("{}_{}", self.intent, self.secret),
            "confirmation_method": "automatic",
            "created": self.created,
            "currency": self.currency.code(),
            "customer": self.customer.id,
            "description": "Coaching",
            "last_payment_error": null,
            "latest_charge": self.charge,
            "livemode": options.livemode,
            "metadata": {},
            "next_action": null,
            "on_behalf_of": null,
            "payment_method": self.method,
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
            "status": "succeeded",
            "transfer_data": null,
            "transfer_group": null,
        });
        match options.shape {
            ApiShape::Legacy => add(&mut intent, [("invoice", Value::Null)]),
            ApiShape::Current => {
                add(&mut intent, [("customer_account", Value::Null), ("excluded_payment_method_types", Value::Null)])
            }
        }
        intent
    }

    pub(super) fn render_charge(&self, options: &StoryOptions) -> Value {
        let mut charge = json!({
            "id": self.charge,
            "object": "charge",
            "amount": self.amount,
            "amount_captured": self.amount,
            "amount_refunded": 0,
            "application": null,
            "application_fee": null,
            "application_fee_amount": null,
            "balance_transaction": self.balance_transaction,
            "billing_details": {
                "address": { "city": null, "country": null, "line1": null, "line2": null, "postal_code": null, "state": null },
                "email": self.customer.email,
                "name": self.customer.name,
                "phone": null,
            },
            "calculated_statement_descriptor": "UPCOACH",
            "captured": true,
            "created": self.created,
            "currency": self.currency.code(),
            "customer": self.customer.id,
            "description": "Coaching",
            "destination": null,
            "dispute": null,
            "disputed": false,
            "failure_balance_transaction": null,
            "failure_code": null,
            "failure_message": null,
            "fraud_details": {},
            "livemode": options.livemode,
            "metadata": {},
            "on_behalf_of": null,
            "order": null,
            "outcome": {
                "network_status": "approved_by_network",
                "reason": null,
                "risk_level": "normal",
                "risk_score": 12,
                "seller_message": "Payment complete.",
                "type": "authorized",
            },
            "paid": true,
            "payment_intent": self.intent,
            "payment_method": self.method,
            "payment_method_details": { "card": self.render_card(), "type": "card" },
            "receipt_email": null,
            "receipt_number": null,
            "receipt_url": format!("https://pay.example.com/receipts/{}", self.charge),
            "refunded": false,
            "review": null,
            "shipping": null,
            "source": null,
            "source_transfer": null,
            "statement_descriptor": null,
            "statement_descriptor_suffix": null,
            "status": "succeeded",
            "transfer_data": null,
            "transfer_group": null,
        });
        if options.shape == ApiShape::Legacy {
            add(&mut charge, [("invoice", Value::Null)]);
        }
        charge
    }

    fn render_card(&self) -> Value {
        json!({
            "amount_authorized": self.amount,
            "brand": self.brand,
            "checks": { "address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass" },
            "country": "US",
            "exp_month": 4,
            "exp_year": 2031,
            "fingerprint": self.fingerprint,
            "funding": "credit",
            "installments": null,
            "last4": format!("{:04}", self.last4),
            "mandate": null,
            "network": self.brand,
            "three_d_secure": null,
            "wallet": null,
        })
    }
}

fn add<const N: usize>(object: &mut Value, members: [(&str, Value); N]) {
    if let Some(object) = object.as_object_mut() {
        object.extend(members.map(|(name, value)| (name.to_owned(), value)));
    }
}
