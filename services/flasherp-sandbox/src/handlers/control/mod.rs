//! The control API: tells the sandbox what to do, and asks what it did. No credentials, so it belongs on loopback, and no call of another
//! site's page is taken.

pub(crate) mod behaviour;
pub(crate) mod faults;
pub(crate) mod limits;
pub(crate) mod observe;
pub(crate) mod origin;
pub(crate) mod records;
pub(crate) mod stripe;
pub(crate) mod webhooks;
