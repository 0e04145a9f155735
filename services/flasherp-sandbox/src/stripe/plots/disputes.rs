//! Disputes, with the money that they move.

use serde_json::{Value, json};

use crate::stripe::{
    EventKind,
    objects::{
        dispute,
        money::{Booking, book},
    },
    plots::{
        beats::{self, Fee},
        payments,
    },
    teller::{Handle, Teller},
};

/// The money comes back.
pub(super) fn won(teller: &mut Teller<'_>) {
    let dispute = money_is_withdrawn(teller, "fraudulent");
    closes(teller, dispute, "won");
    let (amount, fee) = (teller.number(dispute, "amount"), -teller.currency(dispute).dispute_fee());
    moves(teller, dispute, "dispute_reversal", amount, fee);
    teller.tell(EventKind::Dispute, "charge.dispute.funds_reinstated", dispute);
}

/// The money stays away.
pub(super) fn lost(teller: &mut Teller<'_>) {
    let dispute = money_is_withdrawn(teller, "product_not_received");
    closes(teller, dispute, "lost");
}

/// Only a question.
pub(super) fn inquiry(teller: &mut Teller<'_>) {
    let dispute = begins(teller, "general", "warning_needs_response");
    teller.pass_days(2);
    is_answered(teller, dispute, "warning_under_review");
    closes(teller, dispute, "warning_closed");
}

fn begins(teller: &mut Teller<'_>, reason: &str, status: &str) -> Handle {
    let payer = beats::customer(teller);
    let intent = payments::draw(teller, &payer);
    let charge = beats::pays(teller, &payer, intent, Fee::Follows);
    teller.pass_days(7);
    let dispute = dispute::draw(teller, charge, reason, status);
    let id = teller.id(dispute);
    let legacy = if teller.is_current() { Value::Null } else { json!(id) };
    teller.change(charge, json!({ "disputed": true, "dispute": legacy }));
    teller.tell(EventKind::Dispute, "charge.dispute.created", dispute);
    dispute
}

fn money_is_withdrawn(teller: &mut Teller<'_>, reason: &str) -> Handle {
    let dispute = begins(teller, reason, "needs_response");
    let (amount, fee) = (teller.number(dispute, "amount"), teller.currency(dispute).dispute_fee());
    moves(teller, dispute, "dispute", -amount, fee);
    teller.tell(EventKind::Dispute, "charge.dispute.funds_withdrawn", dispute);
    teller.pass_days(2);
    is_answered(teller, dispute, "under_review");
    dispute
}

fn is_answered(teller: &mut Teller<'_>, dispute: Handle, status: &str) {
    teller.change(dispute, json!({ "status": status }));
    teller.tell(EventKind::Dispute, "charge.dispute.updated", dispute);
}

fn closes(teller: &mut Teller<'_>, dispute: Handle, status: &str) {
    teller.pass_days(20);
    teller.change(dispute, json!({ "status": status }));
    teller.tell(EventKind::Dispute, "charge.dispute.closed", dispute);
}

/// Books money for a dispute, which lists its bookings.
fn moves(teller: &mut Teller<'_>, dispute: Handle, category: &'static str, amount: i64, fee: i64) {
    let (source, currency) = (teller.id(dispute), teller.currency(dispute));
    let booked = book(teller, Booking { kind: "adjustment", category, amount, fee, currency, source: Some(&source) });
    let (id, booked) = (teller.id(booked), teller.object(booked));
    let mut bookings = teller.get(dispute, "balance_transactions").clone();
    if let Some(bookings) = bookings.as_array_mut() {
        bookings.push(booked);
    }
    teller.change(dispute, json!({ "balance_transactions": bookings, "balance_transaction": id }));
}
