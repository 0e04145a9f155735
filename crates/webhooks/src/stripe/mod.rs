//! Stripe's events in the shapes that the inbound worker applies, of Stripe's API before and after 2025-03-31.
//!
//! Tolerant of fields that are not used and of values that Stripe may add; strict on what is used: an event whose object lacks what its type
//! promises is [`Unusable`], to be quarantined with the reason, never guessed at. Amounts are Stripe's integers in its own units.

mod charge;
mod customer;
mod event;
mod expandable;
mod fields;
mod ids;
mod payment_intent;

pub use charge::{Charge, PaymentMethodDetails};
pub use customer::Customer;
pub use event::{Event, StripeEvent, Unusable, parse};
pub use expandable::{Expandable, Identified};
pub use ids::{ChargeId, CustomerId, EventId, InvoiceId, PaymentIntentId};
pub use payment_intent::{InvoiceReference, PaymentError, PaymentIntent, PaymentIntentStatus};

#[cfg(test)]
mod tests;
