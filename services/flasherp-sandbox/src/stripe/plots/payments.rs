//! Payments without an invoice.

use crate::stripe::{
    EventKind,
    objects::{charge::Decline, customer::Payer, intent, intent::Purpose},
    plots::beats::{self, Fee},
    teller::{Handle, Teller},
};

/// So many payments as the options say, and now and then another name.
pub(super) fn payments(teller: &mut Teller<'_>, index: u64) {
    let payer = beats::customer(teller);
    for _ in 0..teller.options.payments {
        teller.pass();
        let intent = draw(teller, &payer);
        beats::pays(teller, &payer, intent, Fee::Told);
    }
    if teller.options.has_update(index) {
        teller.pass();
        payer.renamed(teller);
        teller.tell(EventKind::Customer, "customer.updated", payer.customer);
    }
}

/// Refused, and paid with the second try.
pub(super) fn retried(teller: &mut Teller<'_>) {
    let payer = beats::customer(teller);
    let intent = draw(teller, &payer);
    teller.tell(EventKind::Payment, "payment_intent.created", intent);
    teller.pass();
    beats::is_refused(teller, &payer, intent, Decline::FUNDS);
    teller.pass();
    beats::pays(teller, &payer, intent, Fee::Follows);
}

/// Refused, and given up.
pub(super) fn canceled(teller: &mut Teller<'_>) {
    let payer = beats::customer(teller);
    let intent = draw(teller, &payer);
    teller.tell(EventKind::Payment, "payment_intent.created", intent);
    teller.pass();
    beats::is_refused(teller, &payer, intent, Decline::EXPIRED);
    teller.pass_days(1);
    beats::is_given_up(teller, intent, "abandoned");
}

/// An intent over a drawn amount.
pub(super) fn draw(teller: &mut Teller<'_>, payer: &Payer) -> Handle {
    let currency = teller.draw_currency();
    let amount = currency.draw_amount(&mut teller.random);
    intent::draw(teller, payer, amount, currency, Purpose::COACHING)
}
