//! What Stripe's events make of UpCoach's records, as a pure fold: no database, no clock, no call.
//!
//! Every row that Stripe feeds keeps, per Stripe object, the newest that this object told ([`newest`]); its columns are computed from that
//! ([`payment`], [`refund`], [`chargeback`], [`subscription`], [`invoice`], [`user`]). So neither order nor repetition of events matters, and
//! one payment is one transaction whichever events tell of it. What refers to something unknown is parked under the keys ([`keys`]) of which
//! one has to appear; what only Stripe's API tells is wanted ([`wants`]); [`fold`] says what becomes of each event of a batch, over the rows ([`books`]) that it may touch.

pub(super) mod books;
pub(super) mod chargeback;
pub(super) mod fold;
pub(super) mod invoice;
pub(super) mod keys;
pub(super) mod newest;
pub(super) mod payment;
pub(super) mod plan;
pub(super) mod refund;
pub(super) mod subscription;
pub(super) mod transaction;
pub(super) mod user;
pub(super) mod wants;

#[cfg(test)]
mod tests;
