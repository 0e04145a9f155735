//! What a batch of Stripe's events may touch, by what they name.

use std::collections::BTreeSet;

use domain::stripe_uuid;
use uuid::Uuid;
use webhooks::stripe::{Charge, Refund, StripeEvent};

use super::super::stripe::user::named_user;

/// Ids to load by, each once and in order.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// Users that may be written: those that customer events are about.
    pub(super) written_users: BTreeSet<Uuid>,
    pub(super) written_customers: BTreeSet<String>,
    pub(super) emails: BTreeSet<String>,
    /// Users that are only named.
    pub(super) users: BTreeSet<Uuid>,
    pub(super) customers: BTreeSet<String>,
    pub(super) subscriptions: BTreeSet<String>,
    pub(super) invoices: BTreeSet<String>,
    /// Invoices of which the payments are needed.
    pub(super) paid_invoices: BTreeSet<String>,
    /// Payment intents, charges and disputes.
    pub(super) payments: BTreeSet<String>,
    pub(super) refunds: BTreeSet<String>,
    /// Payments of which all refunds are needed.
    pub(super) refunded: BTreeSet<String>,
}

impl Needs {
    pub(crate) fn of(events: &[&StripeEvent]) -> Self {
        let mut needs = Self::default();
        for event in events {
            needs.add(event);
        }
        needs
    }

    fn add(&mut self, event: &StripeEvent) {
        match event {
            StripeEvent::Customer(event) => {
                let customer = &event.object;
                self.written_customers.insert(customer.id.as_str().to_owned());
                self.written_users.insert(stripe_uuid(customer.id.as_str()));
                self.written_users.extend(named_user(&customer.metadata));
                self.emails.extend(customer.email.as_deref().map(str::to_lowercase));
            }
            StripeEvent::Subscription(event) => {
                self.subscriptions.insert(event.object.id.as_str().to_owned());
                self.user(named_user(&event.object.metadata), Some(event.object.customer_id().as_str()));
            }
            StripeEvent::Invoice(event) => {
                let invoice = &event.object;
                self.user(named_user(&invoice.metadata), invoice.customer_id().map(|id| id.as_str()));
                self.subscriptions.extend(invoice.subscription_id().map(|id| id.as_str().to_owned()));
                self.invoices.insert(invoice.id.as_str().to_owned());
                self.paid_invoices.insert(invoice.id.as_str().to_owned());
                self.payment(
                    invoice.payment_intent_id().map(|id| id.as_str()),
                    invoice.charge_id().map(|id| id.as_str()),
                );
            }
            StripeEvent::PaymentIntent(event) => {
                let intent = &event.object;
                self.user(named_user(&intent.metadata), intent.customer_id().map(|id| id.as_str()));
                self.invoices.extend(intent.invoice_id().map(|id| id.as_str().to_owned()));
                self.payment(Some(intent.id.as_str()), intent.charge_id().map(|id| id.as_str()));
            }
            StripeEvent::InvoicePayment(event) => {
                let payment = &event.object.payment;
                self.invoices.insert(event.object.invoice.id().as_str().to_owned());
                self.payment(
                    payment.payment_intent_id().map(|id| id.as_str()),
                    payment.charge_id().map(|id| id.as_str()),
                );
            }
            StripeEvent::Charge(event) => self.charge(&event.object),
            StripeEvent::Refund(event) => self.refund(&event.object),
            StripeEvent::Dispute(event) => {
                let dispute = &event.object;
                self.payments.insert(dispute.id.as_str().to_owned());
                let intent = dispute.payment_intent_id().map(|id| id.as_str());
                self.payment(intent, dispute.charge_id().map(|id| id.as_str()));
            }
            StripeEvent::Other { .. } => {}
        }
    }

    fn charge(&mut self, charge: &Charge) {
        self.user(named_user(&charge.metadata), charge.customer_id().map(|id| id.as_str()));
        self.invoices.extend(charge.invoice_id().map(|id| id.as_str().to_owned()));
        self.payment(charge.payment_intent_id().map(|id| id.as_str()), Some(charge.id.as_str()));
        charge.refunds().for_each(|refund| self.refund(refund));
        if charge.amount_refunded > 0 {
            let ids = [charge.payment_intent_id().map(|id| id.as_str()), Some(charge.id.as_str())];
            self.refunded.extend(ids.into_iter().flatten().map(str::to_owned));
        }
    }

    fn refund(&mut self, refund: &Refund) {
        let (intent, charge) =
            (refund.payment_intent_id().map(|id| id.as_str()), refund.charge_id().map(|id| id.as_str()));
        self.refunds.insert(refund.id.as_str().to_owned());
        self.payment(intent, charge);
        self.refunded.extend([intent, charge].into_iter().flatten().map(str::to_owned));
    }

    fn payment(&mut self, intent: Option<&str>, charge: Option<&str>) {
        self.payments.extend([intent, charge].into_iter().flatten().map(str::to_owned));
    }

    fn user(&mut self, named: Option<Uuid>, customer: Option<&str>) {
        self.users.extend(named);
        self.customers.extend(customer.map(str::to_owned));
    }
}
