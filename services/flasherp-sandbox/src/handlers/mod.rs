//! HTTP in, HTTP out: FlashERP's calls, and the control API.

pub(crate) mod control;
pub(crate) mod errors;
pub(crate) mod flasherp;
