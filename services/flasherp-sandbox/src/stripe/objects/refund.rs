//! Refunds: money of a charge that goes back.

use serde_json::json;

use super::money::{Booking, book};
use crate::stripe::teller::{Handle, Teller};

/// A refund of a part of a charge, with its booking.
pub(in crate::stripe) fn draw(
    teller: &mut Teller<'_>,
    charge: Handle,
    amount: i64,
    reason: Option<&str>,
    status: &str,
) -> Handle {
    let id = teller.draw_id("re_");
    let currency = teller.currency(charge);
    let booking = Booking { kind: "refund", category: "refund", amount: -amount, fee: 0, currency, source: Some(&id) };
    let booked = book(teller, booking);
    let refund = json!({
        "id": id,
        "object": "refund",
        "amount": amount,
        "balance_transaction": teller.get(booked, "id"),
        "charge": teller.get(charge, "id"),
        "created": teller.now(),
        "currency": currency.code(),
        "destination_details": {
            "card": { "reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund" },
            "type": "card",
        },
        "failure_reason": null,
        "failure_balance_transaction": null,
        "metadata": {},
        "payment_intent": teller.get(charge, "payment_intent"),
        "reason": reason,
        "receipt_number": null,
        "source_transfer_reversal": null,
        "status": status,
        "transfer_reversal": null,
    });
    teller.add(refund)
}
