//! Customers and the card each of them pays with.

use rand::{Rng, seq::IndexedRandom};
use serde_json::{Value, json};

use crate::stripe::{
    person,
    teller::{Handle, Teller},
};

/// Somebody who pays.
#[derive(Debug, Clone)]
pub(in crate::stripe) struct Payer {
    pub(in crate::stripe) customer: Handle,
    pub(in crate::stripe) method: String,
    brand: &'static str,
    fingerprint: String,
    last4: u16,
}

impl Payer {
    /// A new customer with a card.
    pub(in crate::stripe) fn draw(teller: &mut Teller<'_>) -> Self {
        let name = person::draw_name(&mut teller.random);
        let id = teller.draw_id("cus_");
        let email = person::draw_email(&name, &mut teller.random);
        let invoice_prefix = format!("{:08X}", teller.random.random::<u32>());
        let created = teller.now();
        let livemode = teller.options.livemode;
        let customer = teller.add(json!({
            "id": id,
            "object": "customer",
            "address": null,
            "balance": 0,
            "created": created,
            "currency": null,
            "default_source": null,
            "delinquent": false,
            "description": null,
            "discount": null,
            "email": email,
            "invoice_prefix": invoice_prefix,
            "invoice_settings": {
                "custom_fields": null,
                "default_payment_method": null,
                "footer": null,
                "rendering_options": null,
            },
            "livemode": livemode,
            "metadata": {},
            "name": name,
            "next_invoice_sequence": 1,
            "phone": null,
            "preferred_locales": [],
            "shipping": null,
            "tax_exempt": "none",
            "test_clock": null,
        }));
        Self {
            customer,
            method: teller.draw_id("pm_"),
            brand: ["visa", "mastercard", "amex"].choose(&mut teller.random).copied().unwrap_or("visa"),
            fingerprint: teller.draw_id(""),
            last4: teller.random.random_range(0..10_000),
        }
    }

    /// Another last name.
    pub(in crate::stripe) fn renamed(&self, teller: &mut Teller<'_>) {
        let name = teller.text(self.customer, "name");
        let name = format!("{name}-{}", person::draw_last_name(&mut teller.random));
        teller.change(self.customer, json!({ "name": name }));
    }

    /// `payment_method_details` of a charge.
    pub(super) fn card(&self, amount: i64) -> Value {
        json!({
            "card": {
                "amount_authorized": amount,
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
            },
            "type": "card",
        })
    }
}
