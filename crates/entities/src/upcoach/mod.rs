//! The contract with the UpCoach platform (design section 2). Amounts are in Stripe's units of the currency.

pub mod cost_entry;
pub mod invoice;
pub mod subscription;
pub mod transaction;
pub mod user;
pub mod user_stripe_customer;
