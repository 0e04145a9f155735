//! The control API: tells the sandbox what to do, and asks what it did. No credentials, so it belongs on loopback.

pub(crate) mod behaviour;
pub(crate) mod faults;
pub(crate) mod limits;
pub(crate) mod observe;
pub(crate) mod records;
pub(crate) mod stripe;
pub(crate) mod webhooks;
