//! HTTP in and out.

pub(crate) mod forward;
pub(crate) mod panel;
pub(crate) mod session;
pub(crate) mod sign_in;
