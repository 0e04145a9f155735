//! FlashERP's events that we make ourselves, of records that we fetched.

mod pulled;

pub use pulled::{Pulled, pulled};
