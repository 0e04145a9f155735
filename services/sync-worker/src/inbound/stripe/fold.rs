//! What becomes of each event of a batch.

use domain::upcoach::UpcoachMode;
use domain::{EntityType, ErrorCode};
use uuid::Uuid;
use webhooks::stripe::StripeEvent;

use super::books::Books;
use super::keys::WaitKeys;
use super::plan::Plans;
use super::user::User;
use super::wants::What;
use super::{chargeback, invoice, payment, refund, subscription};

/// What the settings say.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// `STRIPE_PRICE_PLANS`: the plan of prices that don't say it themselves.
    pub plans: Plans,
    /// `ERP_PRODUCTION`: events of Stripe's test mode are kept and not applied.
    pub production: bool,
    /// `UPCOACH_MODE`: whether UpCoach's records are written here or by UpCoach itself.
    pub upcoach: UpcoachMode,
    /// Whether there is a `STRIPE_API_KEY`: then what events leave open is asked for.
    pub asks_stripe: bool,
}

/// What becomes of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Its effects are in the books.
    Applied(Vec<(EntityType, Uuid)>),
    /// It waits for something that is not there yet.
    Parked(WaitKeys),
    /// Nothing is done for it.
    Ignored,
    /// It can't be used as it is.
    Quarantined {
        /// Which kind of fault.
        code: ErrorCode,
        /// What is wrong, without personal data.
        reason: String,
    },
}

impl Outcome {
    pub(crate) fn applied(records: impl IntoIterator<Item = (EntityType, Uuid)>) -> Self {
        Self::Applied(records.into_iter().collect())
    }

    /// Applied, and there was nothing to write.
    pub(crate) const fn nothing() -> Self {
        Self::Applied(Vec::new())
    }

    pub(crate) fn invalid(reason: impl Into<String>) -> Self {
        Self::Quarantined { code: ErrorCode::ValidationError, reason: reason.into() }
    }
}

/// Takes a batch in. What waits for something that another event of the batch brings does not wait.
pub(crate) fn fold(books: &mut Books, events: &[&StripeEvent], rules: &Rules) -> Vec<Outcome> {
    let mut outcomes: Vec<Option<Outcome>> = vec![None; events.len()];
    // What others refer to first; the order changes nothing but how many rounds it takes.
    let mut order: Vec<usize> = (0..events.len()).collect();
    order.sort_by_key(|index| rank(events[*index]));
    for index in order {
        outcomes[index] = Some(take(books, events[index], rules));
    }
    loop {
        let appeared = books.appeared();
        let is_there = |keys: &WaitKeys| {
            appeared.contains(&keys.first) || keys.other.as_ref().is_some_and(|other| appeared.contains(other))
        };
        let mut woken = false;
        for (event, outcome) in events.iter().zip(&mut outcomes) {
            if matches!(outcome, Some(Outcome::Parked(keys)) if is_there(keys)) {
                let again = take(books, event, rules);
                woken |= outcome.as_ref() != Some(&again);
                *outcome = Some(again);
            }
        }
        if !woken {
            return outcomes.into_iter().map(|outcome| outcome.unwrap_or(Outcome::Ignored)).collect();
        }
    }
}

fn rank(event: &StripeEvent) -> u8 {
    match event {
        StripeEvent::Customer(_) => 0,
        StripeEvent::Subscription(_) => 1,
        StripeEvent::Invoice(_) => 2,
        StripeEvent::PaymentIntent(_) => 3,
        StripeEvent::Charge(_) | StripeEvent::InvoicePayment(_) => 4,
        StripeEvent::Refund(_) | StripeEvent::Dispute(_) | StripeEvent::Other { .. } => 5,
    }
}

/// Takes one event in.
fn take(books: &mut Books, event: &StripeEvent, rules: &Rules) -> Outcome {
    if is_of_test_mode(event, rules) {
        return Outcome::Ignored;
    }
    match event {
        StripeEvent::Customer(event) if event.object.deleted || event.event_type == "customer.deleted" => {
            Outcome::Ignored
        }
        StripeEvent::Customer(event) => {
            let user = books.users.take(event);
            if books.users.get(user).is_some_and(User::is_undecided) {
                books.want(What::Customer, event.object.id.as_str(), event.into());
            }
            Outcome::applied([(EntityType::Customer, user)])
        }
        StripeEvent::Subscription(event) => subscription::take(books, event, &rules.plans),
        StripeEvent::Invoice(event) if event.event_type == "invoice.payment_failed" => {
            subscription::payment_failed(books, event)
        }
        StripeEvent::Invoice(event) => invoice::take(books, event),
        StripeEvent::PaymentIntent(event) => payment::intent(books, event),
        StripeEvent::InvoicePayment(event) => payment::invoice_payment(books, event),
        StripeEvent::Refund(event) => refund::take(books, &event.object, event.into()),
        StripeEvent::Dispute(event) => chargeback::take(books, event),
        StripeEvent::Other { .. } => Outcome::Ignored,
        StripeEvent::Charge(event) => {
            let mut outcome = payment::charge(books, event);
            let listed = event.object.refunds().filter(|_| event.object.captured);
            if let Outcome::Applied(records) = &mut outcome {
                for refund in listed {
                    if let Outcome::Applied(refunded) = refund::take(books, refund, event.into()) {
                        records.extend(refunded);
                    }
                }
                if event.event_type == "charge.refunded"
                    && event.object.captured
                    && let Some(waits) = refund::await_missing(books, &event.object, event.into())
                {
                    outcome = waits;
                }
            }
            outcome
        }
    }
}

/// Whether it is of Stripe's test mode, and this is production.
pub(crate) fn is_of_test_mode(event: &StripeEvent, rules: &Rules) -> bool {
    rules.production && livemode(event) == Some(false)
}

fn livemode(event: &StripeEvent) -> Option<bool> {
    match event {
        StripeEvent::Customer(event) => Some(event.livemode),
        StripeEvent::Subscription(event) => Some(event.livemode),
        StripeEvent::Invoice(event) => Some(event.livemode),
        StripeEvent::PaymentIntent(event) => Some(event.livemode),
        StripeEvent::Charge(event) => Some(event.livemode),
        StripeEvent::InvoicePayment(event) => Some(event.livemode),
        StripeEvent::Refund(event) => Some(event.livemode),
        StripeEvent::Dispute(event) => Some(event.livemode),
        StripeEvent::Other { .. } => None,
    }
}
