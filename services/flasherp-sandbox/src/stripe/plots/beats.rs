//! What happens in many stories: a customer comes, a try to pay goes through or fails, a refund.

use serde_json::{Value, json};

use crate::stripe::{
    ApiShape, EventKind,
    objects::{
        charge::{self, Decline},
        customer::Payer,
        money::{Booking, book},
        refund,
    },
    teller::{Handle, Teller},
};

/// When the event of a charge tells its balance transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fee {
    /// At once.
    Told,
    /// By a `charge.updated` that follows, as Stripe does since 2024.
    Follows,
}

/// `customer.created`
pub(super) fn customer(teller: &mut Teller<'_>) -> Payer {
    let payer = Payer::draw(teller);
    teller.tell(EventKind::Customer, "customer.created", payer.customer);
    payer
}

/// A try that goes through.
pub(super) fn pays(teller: &mut Teller<'_>, payer: &Payer, intent: Handle, fee: Fee) -> Handle {
    let (amount, currency) = (teller.number(intent, "amount"), teller.currency(intent));
    let booking =
        Booking { kind: "charge", category: "charge", amount, fee: currency.fee(amount), currency, source: None };
    let booked = book(teller, booking);
    let transaction = teller.id(booked);
    let charge = charge::paid(teller, payer, intent, &transaction);
    let charge_id = teller.id(charge);
    teller.change(booked, json!({ "source": charge_id }));
    if fee == Fee::Follows {
        teller.change(charge, json!({ "balance_transaction": null }));
    }
    teller.change(
        intent,
        json!({ "status": "succeeded", "amount_received": amount, "latest_charge": charge_id, "last_payment_error": null }),
    );
    teller.tell(EventKind::Charge, "charge.succeeded", charge);
    teller.tell(EventKind::Payment, "payment_intent.succeeded", intent);
    if fee == Fee::Follows {
        teller.change(charge, json!({ "balance_transaction": transaction }));
        teller.tell(EventKind::Charge, "charge.updated", charge);
    }
    charge
}

/// A try that is refused.
pub(super) fn is_refused(teller: &mut Teller<'_>, payer: &Payer, intent: Handle, decline: Decline) -> Handle {
    let charge = charge::refused(teller, payer, intent, decline);
    let charge_id = teller.id(charge);
    let error = json!({
        "charge": charge_id, "code": decline.code, "decline_code": decline.reason, "message": decline.message,
        "type": "card_error",
    });
    teller.change(
        intent,
        json!({ "status": "requires_payment_method", "latest_charge": charge_id, "last_payment_error": error }),
    );
    teller.tell(EventKind::Charge, "charge.failed", charge);
    teller.tell(EventKind::Payment, "payment_intent.payment_failed", intent);
    charge
}

/// An intent that is given up.
pub(super) fn is_given_up(teller: &mut Teller<'_>, intent: Handle, reason: &str) {
    let now = teller.now();
    teller.change(intent, json!({ "status": "canceled", "canceled_at": now, "cancellation_reason": reason }));
    teller.tell(EventKind::Payment, "payment_intent.canceled", intent);
}

/// A part of a charge goes back.
pub(super) fn goes_back(teller: &mut Teller<'_>, charge: Handle, amount: i64, status: &str) -> Handle {
    let refund = refund::draw(teller, charge, amount, Some("requested_by_customer"), status);
    let refunded = teller.number(charge, "amount_refunded") + amount;
    is_refunded(teller, charge, refunded);
    lists_refund(teller, charge, refund);
    let has_event = teller.shape() != ApiShape::Oldest;
    teller.tell_if(has_event, EventKind::Refund, "refund.created", refund);
    teller.tell(EventKind::Refund, "charge.refunded", charge);
    refund
}

/// What Stripe knows of a refund changes.
pub(super) fn refund_changes(teller: &mut Teller<'_>, charge: Handle, refund: Handle, fields: Value) {
    teller.change(refund, fields);
    lists_refund(teller, charge, refund);
    // One change, told twice: by the old event and by the new one.
    let has_event = teller.shape() != ApiShape::Oldest;
    teller.tell(EventKind::Refund, "charge.refund.updated", refund);
    teller.tell_if(has_event, EventKind::Refund, "refund.updated", refund);
}

/// A charge's refunds are so much in all.
pub(super) fn is_refunded(teller: &mut Teller<'_>, charge: Handle, in_all: i64) {
    let is_whole = in_all == teller.number(charge, "amount");
    teller.change(charge, json!({ "amount_refunded": in_all, "refunded": is_whole }));
}

/// The oldest version lists refunds in their charge, newest first.
fn lists_refund(teller: &mut Teller<'_>, charge: Handle, refund: Handle) {
    if teller.shape() != ApiShape::Oldest {
        return;
    }
    let refund = teller.object(refund);
    let mut refunds = teller.get(charge, "refunds").clone();
    if let Some(data) = refunds.get_mut("data").and_then(Value::as_array_mut) {
        data.retain(|known| known.get("id") != refund.get("id"));
        data.insert(0, refund);
        let count = data.len();
        refunds["total_count"] = json!(count);
    }
    teller.change(charge, json!({ "refunds": refunds }));
}
