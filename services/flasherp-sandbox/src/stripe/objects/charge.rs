//! Charges: one try each to take the money of a payment intent.

use serde_json::{Value, json};

use super::{add, customer::Payer};
use crate::stripe::{
    ApiShape,
    teller::{Handle, Teller},
};

/// Why a card is refused.
#[derive(Debug, Clone, Copy)]
pub(in crate::stripe) struct Decline {
    pub(in crate::stripe) code: &'static str,
    pub(in crate::stripe) reason: &'static str,
    pub(in crate::stripe) message: &'static str,
}

impl Decline {
    pub(in crate::stripe) const FUNDS: Decline =
        Decline { code: "card_declined", reason: "insufficient_funds", message: "Your card has insufficient funds." };
    pub(in crate::stripe) const EXPIRED: Decline =
        Decline { code: "expired_card", reason: "expired_card", message: "Your card has expired." };
}

/// A charge that went through; its money is booked by `balance_transaction`.
pub(in crate::stripe) fn paid(
    teller: &mut Teller<'_>,
    payer: &Payer,
    intent: Handle,
    balance_transaction: &str,
) -> Handle {
    let id = teller.draw_id("ch_");
    let charge = render(teller, payer, intent, &id, Some(balance_transaction), None);
    teller.add(charge)
}

/// A charge that was refused.
pub(in crate::stripe) fn refused(teller: &mut Teller<'_>, payer: &Payer, intent: Handle, decline: Decline) -> Handle {
    let id = teller.draw_id("ch_");
    let charge = render(teller, payer, intent, &id, None, Some(decline));
    teller.add(charge)
}

fn render(
    teller: &Teller<'_>,
    payer: &Payer,
    intent: Handle,
    id: &str,
    balance_transaction: Option<&str>,
    decline: Option<Decline>,
) -> Value {
    let amount = teller.number(intent, "amount");
    let is_paid = decline.is_none();
    let outcome = match decline {
        None => json!({
            "network_status": "approved_by_network", "reason": null, "risk_level": "normal", "risk_score": 12,
            "seller_message": "Payment complete.", "type": "authorized",
        }),
        Some(decline) => json!({
            "network_status": "declined_by_network", "reason": decline.reason, "risk_level": "normal", "risk_score": 12,
            "seller_message": "The bank did not approve the payment.", "type": "issuer_declined",
        }),
    };
    let mut charge = json!({
        "id": id,
        "object": "charge",
        "amount": amount,
        "amount_captured": if is_paid { amount } else { 0 },
        "amount_refunded": 0,
        "application": null,
        "application_fee": null,
        "application_fee_amount": null,
        "balance_transaction": balance_transaction,
        "billing_details": {
            "address": { "city": null, "country": null, "line1": null, "line2": null, "postal_code": null, "state": null },
            "email": teller.get(payer.customer, "email"),
            "name": teller.get(payer.customer, "name"),
            "phone": null,
        },
        "calculated_statement_descriptor": "UPCOACH",
        "captured": is_paid,
        "created": teller.now(),
        "currency": teller.get(intent, "currency"),
        "customer": teller.get(intent, "customer"),
        "description": teller.get(intent, "description"),
        "destination": null,
        "dispute": null,
        "disputed": false,
        "failure_balance_transaction": null,
        "failure_code": decline.map(|decline| decline.code),
        "failure_message": decline.map(|decline| decline.message),
        "fraud_details": {},
        "livemode": teller.options.livemode,
        "metadata": {},
        "on_behalf_of": null,
        "order": null,
        "outcome": outcome,
        "paid": is_paid,
        "payment_intent": teller.get(intent, "id"),
        "payment_method": payer.method,
        "payment_method_details": payer.card(amount),
        "receipt_email": null,
        "receipt_number": null,
        "receipt_url": is_paid.then(|| format!("https://pay.example.com/receipts/{id}")),
        "refunded": false,
        "review": null,
        "shipping": null,
        "source": null,
        "source_transfer": null,
        "statement_descriptor": null,
        "statement_descriptor_suffix": null,
        "status": if is_paid { "succeeded" } else { "failed" },
        "transfer_data": null,
        "transfer_group": null,
    });
    if !teller.is_current() {
        add(&mut charge, [("invoice", teller.get(intent, "invoice").clone())]);
    }
    if teller.shape() == ApiShape::Oldest {
        add(&mut charge, [("refunds", super::list(format!("/v1/charges/{id}/refunds"), Vec::new()))]);
    }
    charge
}
