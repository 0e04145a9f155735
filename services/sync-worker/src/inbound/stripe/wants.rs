//! What events leave open and only Stripe's API tells: the fee of a charge, which of two states of one second is the later, the refunds that an event
//! counts and does not list. Asked for beside the applying of events, which never waits for it.

use time::OffsetDateTime;
use webhooks::stripe::Event;

/// An object to be read from Stripe's API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Want {
    pub(crate) what: What,
    /// Of the object; of the charge for its refunds.
    pub(crate) id: String,
    /// The second of the event that leaves it open. What is read when it is over is at least of that second.
    pub(crate) as_of: OffsetDateTime,
    pub(crate) livemode: bool,
}

/// What is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(crate) enum What {
    Customer,
    PaymentIntent,
    /// With its balance transaction.
    Charge,
    Refund,
    Dispute,
    Invoice,
    Subscription,
    /// All refunds of a charge.
    RefundsOfCharge,
}

impl What {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::PaymentIntent => "payment_intent",
            Self::Charge => "charge",
            Self::Refund => "refund",
            Self::Dispute => "dispute",
            Self::Invoice => "invoice",
            Self::Subscription => "subscription",
            Self::RefundsOfCharge => "refunds_of_charge",
        }
    }
}

/// When something was told, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Occasion {
    pub(crate) created: OffsetDateTime,
    pub(crate) livemode: bool,
    /// We read it ourselves, after the second was over.
    pub(crate) pulled: bool,
}

impl<T> From<&Event<T>> for Occasion {
    fn from(event: &Event<T>) -> Self {
        Self { created: event.created, livemode: event.livemode, pulled: event.is_pulled() }
    }
}
