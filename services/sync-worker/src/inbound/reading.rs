//! From a stored body to the event that it is. Pure.

use domain::ErrorCode;
use webhooks::stripe::{self, StripeEvent};

use super::batch::ClaimedEvent;
use super::events::Source;
use super::flasherp::event::FlasherpEvent;
use super::stripe::fold::Outcome;

/// What a body holds.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a batch of a few hundred lives for one transaction; boxing would cost each an allocation"
)]
pub(super) enum Reading {
    /// An event of Stripe's.
    Stripe(StripeEvent),
    /// An event of FlashERP's.
    Flasherp(FlasherpEvent),
    /// Nothing that could be applied: this is what becomes of it.
    Settled(Outcome),
}

impl Reading {
    /// Reads an event's body by its source.
    pub(super) fn of(event: &ClaimedEvent) -> Self {
        let Some(body) = &event.body else {
            return Self::Settled(Outcome::Quarantined {
                code: ErrorCode::ResourceNotFound,
                reason: "its body has been erased; fetch the event from its sender again".to_owned(),
            });
        };
        match event.source {
            Source::Stripe => match stripe::parse(body) {
                Ok(event) => Self::Stripe(event),
                Err(unusable) => Self::Settled(Outcome::invalid(unusable.reason)),
            },
            Source::Flasherp => match FlasherpEvent::parse(body) {
                Ok(event) => Self::Flasherp(event),
                Err(reason) => Self::Settled(Outcome::invalid(reason)),
            },
        }
    }

    pub(super) const fn as_stripe(&self) -> Option<&StripeEvent> {
        match self {
            Self::Stripe(event) => Some(event),
            Self::Flasherp(_) | Self::Settled(_) => None,
        }
    }

    pub(super) const fn as_flasherp(&self) -> Option<&FlasherpEvent> {
        match self {
            Self::Flasherp(event) => Some(event),
            Self::Stripe(_) | Self::Settled(_) => None,
        }
    }
}
