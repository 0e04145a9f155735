//! Received webhooks (design section 5), owned by ingress. The table is its own queue.

pub mod kinds;
pub mod webhook_event;
