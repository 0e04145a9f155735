//! Money that goes back.

use serde_json::json;

use crate::stripe::{
    ApiShape, EventKind,
    plots::{
        beats::{self, Fee},
        payments,
    },
    teller::Teller,
};

/// A third, a quarter, and then the rest.
pub(super) fn in_parts(teller: &mut Teller<'_>) {
    let payer = beats::customer(teller);
    let intent = payments::draw(teller, &payer);
    let charge = beats::pays(teller, &payer, intent, Fee::Follows);
    let (amount, currency) = (teller.number(charge, "amount"), teller.currency(charge));
    let (third, quarter) = (currency.part(amount, 33), currency.part(amount, 25));
    for part in [third, quarter, amount - third - quarter] {
        teller.pass_days(2);
        let refund = beats::goes_back(teller, charge, part, "succeeded");
        teller.pass_days(1);
        let details = json!({
            "card": { "reference": "123456789012", "reference_status": "available", "reference_type": "acquirer_reference_number", "type": "refund" },
            "type": "card",
        });
        beats::refund_changes(teller, charge, refund, json!({ "destination_details": details }));
    }
}

/// The bank sends the money back: the charge counts as not refunded.
pub(super) fn failed(teller: &mut Teller<'_>) {
    let payer = beats::customer(teller);
    let intent = payments::draw(teller, &payer);
    let charge = beats::pays(teller, &payer, intent, Fee::Told);
    let amount = teller.number(charge, "amount");
    let part = teller.currency(charge).part(amount, 50);
    teller.pass_days(2);
    let refund = beats::goes_back(teller, charge, part, "pending");
    teller.pass_days(5);
    beats::is_refunded(teller, charge, 0);
    beats::refund_changes(
        teller,
        charge,
        refund,
        json!({ "status": "failed", "failure_reason": "expired_or_canceled_card" }),
    );
    teller.tell_if(teller.shape() != ApiShape::Oldest, EventKind::Refund, "refund.failed", refund);
}
