//! Disputes: a customer's bank takes a charge's money back, until it is decided.

use rand::Rng;
use serde_json::json;

use crate::stripe::teller::{Handle, Teller};

/// A dispute of a whole charge. `status` is `needs_response`, or `warning_needs_response` for an enquiry, which moves no money.
pub(in crate::stripe) fn draw(teller: &mut Teller<'_>, charge: Handle, reason: &str, status: &str) -> Handle {
    // Both prefixes are in use.
    let prefix = if teller.random.random_bool(0.5) { "du_" } else { "dp_" };
    let id = teller.draw_id(prefix);
    let is_inquiry = status.starts_with("warning_");
    let dispute = json!({
        "id": id,
        "object": "dispute",
        "amount": teller.get(charge, "amount"),
        "balance_transaction": null,
        "balance_transactions": [],
        "charge": teller.get(charge, "id"),
        "created": teller.now(),
        "currency": teller.get(charge, "currency"),
        "enhanced_eligibility_types": [],
        "evidence": {
            "customer_email_address": null, "customer_name": null, "product_description": null, "uncategorized_text": null,
        },
        "evidence_details": {
            "due_by": teller.now() + 7 * 24 * 60 * 60, "has_evidence": false, "past_due": false, "submission_count": 0,
        },
        "is_charge_refundable": is_inquiry,
        "livemode": teller.options.livemode,
        "metadata": {},
        "network_reason_code": "10.4",
        "payment_intent": teller.get(charge, "payment_intent"),
        "payment_method_details": { "card": { "brand": "visa", "network_reason_code": "10.4" }, "type": "card" },
        "reason": reason,
        "status": status,
    });
    teller.add(dispute)
}
