//! Invoices without a subscription, sent to be paid within two weeks.

use serde_json::json;

use super::{
    beats,
    billing::{self, Open},
};
use crate::stripe::{
    EventKind,
    objects::{
        customer::Payer,
        invoice::{self, Bill, Line},
    },
    teller::Teller,
};

const DAYS: i64 = 14;

/// Paid a week late.
pub(super) fn sent(teller: &mut Teller<'_>) {
    let (payer, open) = is_sent(teller);
    teller.pass_days(DAYS + 7);
    open.is_paid(teller, &payer);
}

/// It was a mistake.
pub(super) fn voided(teller: &mut Teller<'_>) {
    let (_, open) = is_sent(teller);
    teller.pass_days(3);
    billing::transition(teller, open.invoice, "void", "voided_at");
    teller.tell(EventKind::Invoice, "invoice.voided", open.invoice);
    beats::is_given_up(teller, open.intent, "void_invoice");
}

/// Nobody pays.
pub(super) fn uncollectible(teller: &mut Teller<'_>) {
    let (_, open) = is_sent(teller);
    teller.pass_days(DAYS * 2);
    billing::transition(teller, open.invoice, "uncollectible", "marked_uncollectible_at");
    teller.tell(EventKind::Invoice, "invoice.marked_uncollectible", open.invoice);
}

fn is_sent(teller: &mut Teller<'_>) -> (Payer, Open) {
    teller.ends_after_months(0);
    let payer = beats::customer(teller);
    let currency = teller.draw_currency();
    let amount = currency.draw_amount(&mut teller.random);
    let now = teller.now();
    let line = Line {
        price: None,
        quantity: 1,
        amount,
        period: (now, now),
        is_proration: false,
        description: "Workshop".into(),
    };
    let bill = Bill { subscription: None, currency, lines: vec![line], reason: "manual", days_until_due: Some(DAYS) };
    let invoice = invoice::draw(teller, &payer, &bill);
    teller.tell(EventKind::Invoice, "invoice.created", invoice);
    teller.pass();
    let open = billing::finalize(teller, &payer, invoice);
    teller.change(open.invoice, json!({ "attempted": false }));
    teller.tell(EventKind::Invoice, "invoice.sent", open.invoice);
    (payer, open)
}
