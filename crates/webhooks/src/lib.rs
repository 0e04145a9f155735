//! What Stripe and FlashERP send us: how their signatures are checked, how an event's head is read from its raw body, and the typed shapes of
//! the events that are applied.
//!
//! Pure: no I/O and no clock. The caller hands in the time, the keys and the bytes as they came off the wire.
//!
//! * [`signature`] says who sent a body.
//! * [`envelope`] says in one pass over the raw body which event it is and whether it can be applied at all.
//! * [`stripe`] turns a stored body into the event that the inbound worker applies.
//! * [`flasherp`] makes an event of a FlashERP record that was fetched, [`stripe::pulled`] one of a Stripe object.

pub mod envelope;
pub mod flasherp;
pub mod signature;
pub mod stripe;

/// What an event's id starts with that we made of something fetched.
pub const PULL: &str = "pull:";
