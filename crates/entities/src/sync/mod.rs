//! Outbound sync (design section 4), owned by sync-worker: requests, one row of state per record, batches, the gate.

pub mod batch;
pub mod batch_item;
pub mod erp_sync;
pub mod kinds;
pub mod outbound_gate;
pub mod outbox;
pub mod request;
pub mod stray_write;
pub mod stripe_read;
