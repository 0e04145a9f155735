//! Stripe's events in the shapes that the inbound worker applies, of Stripe's API before and after 2025-03-31.
//!
//! Tolerant of fields that are not used and of values that Stripe may add; strict on what is used: an event whose object lacks what its type
//! promises is [`Unusable`], to be quarantined with the reason, never guessed at. Amounts are Stripe's integers in its own units.

mod balance_transaction;
mod charge;
mod customer;
mod dispute;
mod event;
mod expandable;
mod fields;
mod ids;
mod invoice;
mod payment_intent;
mod pulled;
mod refund;
mod subscription;

pub use balance_transaction::BalanceTransaction;
pub use charge::{Charge, ChargeStatus, PaymentMethodDetails};
pub use customer::Customer;
pub use dispute::{Dispute, DisputeStatus};
pub use event::{Event, StripeEvent, Unusable, is_read, parse};
pub use expandable::{Expandable, Identified};
pub use ids::{
    BalanceTransactionId, ChargeId, CustomerId, DisputeId, EventId, InvoiceId, PaymentIntentId, RefundId,
    SubscriptionId,
};
pub use invoice::{Invoice, InvoicePayment, InvoiceStatus, PaidBy};
pub use payment_intent::{InvoiceReference, PaymentError, PaymentIntent, PaymentIntentStatus};
pub use pulled::{NoObject, Pulled, pulled};
pub use refund::{Refund, RefundStatus};
pub use subscription::{Item, Items, Price, Recurring, Subscription, SubscriptionStatus, TransformQuantity};

#[cfg(test)]
mod tests;
