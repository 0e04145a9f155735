//! From a stored body to what is to be done with it. Pure.

use domain::ErrorCode;
use webhooks::stripe::{self, Customer, Event, PaymentIntent, StripeEvent};

use super::batch::ClaimedEvent;
use super::events::Source;

/// What an event asks for.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a batch of a few hundred lives for one transaction; boxing would cost each an allocation"
)]
pub(super) enum Reading {
    /// A customer was made or changed.
    Customer(Event<Customer>),
    /// A payment intent came to a state that UpCoach books.
    Payment(Event<PaymentIntent>),
    /// Nothing is done for this type.
    Ignored,
    /// It can't be used as it is.
    Quarantined {
        /// Which kind of fault.
        code: ErrorCode,
        /// What is wrong, without values.
        reason: String,
    },
}

impl Reading {
    /// Reads an event's body by its source.
    pub(super) fn of(event: &ClaimedEvent) -> Self {
        let Some(body) = &event.body else {
            return Self::Quarantined {
                code: ErrorCode::ResourceNotFound,
                reason: "its body has been erased; fetch the event from its sender again".to_owned(),
            };
        };
        match event.source {
            Source::Stripe => Self::of_stripe(body),
            // Their events come with the FlashERP webhooks; until then they are kept.
            Source::Flasherp => Self::Ignored,
        }
    }

    fn of_stripe(body: &[u8]) -> Self {
        match stripe::parse(body) {
            Ok(StripeEvent::Customer(event)) if event.object.deleted => Self::Ignored,
            Ok(StripeEvent::Customer(event)) => Self::Customer(event),
            Ok(StripeEvent::PaymentIntent(event)) => match event.event_type.as_str() {
                "payment_intent.succeeded" | "payment_intent.payment_failed" | "payment_intent.canceled" => {
                    Self::Payment(event)
                }
                _ => Self::Ignored,
            },
            Ok(StripeEvent::Other { .. }) => Self::Ignored,
            Err(unusable) => Self::Quarantined { code: ErrorCode::ValidationError, reason: unusable.reason },
        }
    }
}
