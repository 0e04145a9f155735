//! Every message that the services tell each other: the CloudEvents 1.0 envelope and one file per event type.
//!
//! A **hint** ([`Hint`]) carries ids and may be lost; a **fact** ([`Fact`]) goes through an outbox and may come twice, with
//! the same id. Both hold ids, numbers and codes only: no personal data, no secrets. Whoever needs more reads the row.
//!
//! Evolution: a new *optional* field is not a breaking change, so consumers ignore fields they don't know (nothing here
//! denies them). All else, a new value of an enum included, takes a new version in the type's name (`...v2`), published
//! beside the old one until no consumer is left. The schemas in `proto-schemas/events/` and `proto-schemas/asyncapi.yaml`
//! are generated from these types by `cargo run -p events --bin event-schemas`.
//!
//! Pure types: no I/O; a process that dies half-way leaves nothing here.

pub mod asyncapi;
mod catalog;
mod envelope;
mod json_schema;
mod kinds;
pub mod schema;
mod timestamp;
pub mod traffic;
mod wire;

mod alert_raised;
mod audit_sealed;
mod circuit_changed;
mod config_changed;
mod health_checked;
mod job_finished;
mod reconciliation_completed;
mod reconciliation_requested;
mod sync_completed;
mod sync_duplicate_found;
mod sync_failed;
mod sync_requested;
mod webhook_applied;
mod webhook_received;

pub use alert_raised::{AlertKind, AlertRaised, AlertState, Severity};
pub use audit_sealed::AuditSealed;
pub use catalog::{AnyEvent, CATALOG, EventInfo, Nature};
pub use circuit_changed::{CircuitCause, CircuitChanged};
pub use config_changed::{ConfigChanged, ConfigField};
pub use envelope::{Decode, DecodeError, Event, EventType, Fact, Hint};
pub use health_checked::HealthChecked;
pub use job_finished::{JobFinished, JobResult, JobTrigger};
pub use kinds::{CircuitState, HealthStatus, WebhookSource, WebhookStatus};
pub use reconciliation_completed::{EntityCounts, ReconciliationCompleted, ReconciliationStatus};
pub use reconciliation_requested::ReconciliationRequested;
pub use sync_completed::{SyncCompleted, SyncResult};
pub use sync_duplicate_found::SyncDuplicateFound;
pub use sync_failed::SyncFailed;
pub use sync_requested::SyncRequested;
pub use webhook_applied::{AppliedRecord, WebhookApplied};
pub use webhook_received::WebhookReceived;
