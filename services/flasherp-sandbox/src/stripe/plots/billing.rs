//! How subscriptions are billed: a draft, finalised, paid or not.

use serde_json::{Value, json};

use super::beats::{self, Fee};
use crate::stripe::{
    EventKind, calendar,
    catalog::Price,
    objects::{
        charge::Decline,
        customer::Payer,
        intent::{self, Purpose},
        invoice::{self, Bill, Line},
        subscription::{self, Basket, Period, Start},
    },
    teller::{Handle, Teller},
};

/// A subscription under way.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) payer: Payer,
    pub(super) handle: Handle,
    pub(super) basket: Basket,
    pub(super) period: Period,
}

/// An invoice that was finalised, with the intent that is to pay it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    pub(super) invoice: Handle,
    pub(super) intent: Handle,
}

impl Plan {
    /// A new subscription, told as created.
    pub(super) fn begins(
        teller: &mut Teller<'_>,
        payer: Payer,
        basket: Basket,
        status: &str,
        trial_days: Option<i64>,
    ) -> Self {
        let from = teller.now();
        let trial_end = trial_days.map(|days| from + days * calendar::DAY);
        let period = (from, trial_end.unwrap_or_else(|| period_end(&basket, from)));
        let start = Start { basket: &basket, status, period, trial_end, days_until_due: None };
        let handle = subscription::draw(teller, &payer, &start);
        teller.tell(EventKind::Subscription, "customer.subscription.created", handle);
        Self { payer, handle, basket, period }
    }

    /// The next period begins: time passes up to it.
    pub(super) fn renews(&mut self, teller: &mut Teller<'_>) {
        let from = self.period.1;
        teller.pass_until(from);
        self.period = (from, period_end(&self.basket, from));
        subscription::enters(teller, self.handle, self.period);
    }

    /// Its status changes, and is told with whatever else has changed.
    pub(super) fn becomes(&self, teller: &mut Teller<'_>, status: &str) {
        teller.change(self.handle, json!({ "status": status }));
        self.is_updated(teller);
    }

    /// `customer.subscription.updated`
    pub(super) fn is_updated(&self, teller: &mut Teller<'_>) {
        teller.tell(EventKind::Subscription, "customer.subscription.updated", self.handle);
    }

    /// It ends now.
    pub(super) fn ends(&self, teller: &mut Teller<'_>, reason: &str) {
        let now = teller.now();
        let canceled_at = teller.get(self.handle, "canceled_at").as_i64().unwrap_or(now);
        teller.change(
            self.handle,
            json!({
                "status": "canceled", "canceled_at": canceled_at, "ended_at": now,
                "cancellation_details": { "comment": null, "feedback": null, "reason": reason },
            }),
        );
        teller.tell(EventKind::Subscription, "customer.subscription.deleted", self.handle);
    }

    /// The lines of its current period.
    pub(super) fn lines(&self) -> Vec<Line> {
        self.basket.iter().map(|(price, quantity)| line(price, *quantity, self.period)).collect()
    }

    /// A draft over these lines.
    pub(super) fn drafts(&self, teller: &mut Teller<'_>, lines: Vec<Line>, reason: &'static str) -> Handle {
        let bill =
            Bill { subscription: Some(self.handle), currency: self.currency(), lines, reason, days_until_due: None };
        let invoice = invoice::draw(teller, &self.payer, &bill);
        let id = teller.id(invoice);
        teller.change(self.handle, json!({ "latest_invoice": id }));
        teller.tell(EventKind::Invoice, "invoice.created", invoice);
        invoice
    }

    /// A draft that is finalised, with an intent to pay it.
    pub(super) fn bills(&self, teller: &mut Teller<'_>, lines: Vec<Line>, reason: &'static str) -> Open {
        let invoice = self.drafts(teller, lines, reason);
        if reason == "subscription_cycle" {
            // A renewal stays a draft for an hour.
            teller.pass_until(teller.now() + 60 * 60);
        }
        finalize(teller, &self.payer, invoice)
    }

    /// The current period is billed and paid.
    pub(super) fn is_billed_and_paid(&self, teller: &mut Teller<'_>, reason: &'static str) -> Handle {
        let open = self.bills(teller, self.lines(), reason);
        open.is_paid(teller, &self.payer)
    }

    fn currency(&self) -> crate::stripe::StripeCurrency {
        self.basket.first().map_or(crate::stripe::StripeCurrency::USUAL[0], |(price, _)| price.currency)
    }
}

impl Open {
    /// A try goes through; the charge.
    pub(super) fn is_paid(self, teller: &mut Teller<'_>, payer: &Payer) -> Handle {
        let charge = beats::pays(teller, payer, self.intent, Fee::Follows);
        let link = invoice::payment(teller, self.invoice, self.intent, true);
        let (charge_id, attempts) = (teller.id(charge), teller.number(self.invoice, "attempt_count") + 1);
        teller.change(self.invoice, json!({ "attempt_count": attempts }));
        if !teller.is_current() {
            teller.change(self.invoice, json!({ "charge": charge_id }));
        }
        is_settled(teller, self.invoice);
        teller.tell_if(teller.is_current(), EventKind::Invoice, "invoice_payment.paid", link);
        teller.tell(EventKind::Invoice, "invoice.paid", self.invoice);
        teller.tell(EventKind::Invoice, "invoice.payment_succeeded", self.invoice);
        charge
    }

    /// A try is refused; the next one comes so many days later.
    pub(super) fn is_refused(
        self,
        teller: &mut Teller<'_>,
        payer: &Payer,
        decline: Decline,
        next_in_days: Option<i64>,
    ) {
        let charge = beats::is_refused(teller, payer, self.intent, decline);
        let (charge, now) = (teller.id(charge), teller.now());
        let attempts = teller.number(self.invoice, "attempt_count") + 1;
        let next = next_in_days.map(|days| now + days * calendar::DAY);
        teller.change(
            self.invoice,
            json!({ "attempt_count": attempts, "attempted": true, "next_payment_attempt": next }),
        );
        if !teller.is_current() {
            teller.change(self.invoice, json!({ "charge": charge }));
        }
        teller.tell(EventKind::Invoice, "invoice.payment_failed", self.invoice);
    }
}

/// Months of one period of these prices.
pub(super) fn months(basket: &Basket) -> i32 {
    basket.first().map_or(1, |(price, _)| price.interval.months())
}

/// When a period that begins then ends.
pub(super) fn period_end(basket: &Basket, from: i64) -> i64 {
    calendar::add_months(from, months(basket))
}

/// A line over a price.
pub(super) fn line(price: &Price, quantity: i64, period: Period) -> Line {
    Line {
        price: Some(price.clone()),
        quantity,
        amount: price.amount * quantity,
        period,
        is_proration: false,
        description: format!("{quantity} × {}", price.item.plan().unwrap_or("offer")),
    }
}

/// A draft becomes open: number, date, and an intent to pay it.
pub(super) fn finalize(teller: &mut Teller<'_>, payer: &Payer, invoice: Handle) -> Open {
    is_final(teller, payer, invoice, "open");
    let (amount, currency) = (teller.number(invoice, "amount_due"), teller.currency(invoice));
    let purpose = Purpose { description: "Subscription", invoice: Some(invoice) };
    let intent = intent::draw(teller, payer, amount, currency, purpose);
    let id = teller.id(intent);
    if !teller.is_current() {
        teller.change(invoice, json!({ "payment_intent": id }));
    }
    teller.tell(EventKind::Payment, "payment_intent.created", intent);
    teller.tell(EventKind::Invoice, "invoice.finalized", invoice);
    Open { invoice, intent }
}

/// A draft over nothing is paid as soon as it is final, without a payment.
pub(super) fn finalize_empty(teller: &mut Teller<'_>, payer: &Payer, invoice: Handle) {
    is_final(teller, payer, invoice, "open");
    is_settled(teller, invoice);
    teller.tell(EventKind::Invoice, "invoice.finalized", invoice);
    teller.tell(EventKind::Invoice, "invoice.paid", invoice);
    teller.tell(EventKind::Invoice, "invoice.payment_succeeded", invoice);
}

/// What happened to an invoice, and when.
pub(super) fn transition(teller: &mut Teller<'_>, invoice: Handle, status: &str, moment: &str) {
    let mut transitions = teller.get(invoice, "status_transitions").clone();
    transitions[moment] = json!(teller.now());
    teller.change(invoice, json!({ "status": status, "status_transitions": transitions }));
}

fn is_final(teller: &mut Teller<'_>, payer: &Payer, invoice: Handle, status: &str) {
    let sequence = teller.number(payer.customer, "next_invoice_sequence");
    let number = format!("{}-{sequence:04}", teller.text(payer.customer, "invoice_prefix"));
    // Not a change that Stripe tells: the next `customer.updated` must not carry it.
    teller.change_quietly(payer.customer, json!({ "next_invoice_sequence": sequence + 1 }));
    let (id, now) = (teller.id(invoice), teller.now());
    transition(teller, invoice, status, "finalized_at");
    teller.change(
        invoice,
        json!({
            "number": number, "effective_at": now, "ending_balance": 0,
            "hosted_invoice_url": format!("https://invoice.example.com/i/{id}"),
            "invoice_pdf": format!("https://invoice.example.com/i/{id}/pdf"),
        }),
    );
}

fn is_settled(teller: &mut Teller<'_>, invoice: Handle) {
    transition(teller, invoice, "paid", "paid_at");
    let due = teller.number(invoice, "amount_due");
    teller.change(
        invoice,
        json!({
            "amount_paid": due, "amount_remaining": 0, "attempted": true, "auto_advance": false,
            "next_payment_attempt": Value::Null,
        }),
    );
    if !teller.is_current() {
        teller.change(invoice, json!({ "paid": true }));
    }
}
