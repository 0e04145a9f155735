//! The inbound role: applies stored webhook events to `upcoach`, each exactly once.
//!
//! Events come by hint (`webhook.received`) right after they were stored, and by a timer for whatever a hint did not
//! bring. A batch of events is claimed, applied and settled in one transaction: a process that dies half-way leaves
//! nothing applied and its events free for the next. What events leave open is read from Stripe's API beside that (`reads`). What fails in a batch is tried singly, so that a poison event stops no other.

mod apply;
mod batch;
mod events;
mod flasherp;
mod parking;
mod reading;
mod reads;
mod settlement;
mod store;
mod stripe;
mod work;

pub use apply::{Applied, Applier};
pub use stripe::fold::Rules;
pub use work::{Inbound, InboundSettings};
