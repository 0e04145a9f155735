//! HTTP in, HTTP out: FlashERP's calls, Stripe's, and the control API.

pub(crate) mod control;
pub(crate) mod errors;
pub(crate) mod flasherp;
pub(crate) mod page;
pub(crate) mod stripe;
