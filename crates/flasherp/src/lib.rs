//! The client for FlashERP's HTTP API (`proto-schemas/flasherp-api.yaml`).
//!
//! What it promises:
//!
//! * **One call is one verdict.** Inside it there are several tries where a repeat is safe (`attempts`); outside comes one result, which says
//!   whether the request was sent, whether the outcome is certain, and whether a retry can help ([`CallError`]).
//! * **No write is repeated that may have taken effect**, unless FlashERP honours its idempotency key.
//! * **Amounts stay text.** Records are read into [`domain::mapping::Record`].
//! * **It goes nowhere else**: redirects and proxies are not followed, and addresses inside our own network are refused ([`guard`]).
//! * **Credentials leave it only as headers**; no error, log or debug output holds them.
//!
//! A process that dies in the middle of a call leaves what a lost answer leaves: an unknown outcome, which its lease's end tells of.

mod adapt;
mod answer;
mod attempts;
mod call;
mod calls;
mod client;
mod confirm;
mod error;
pub mod gate;
pub mod guard;
mod health;
mod limiter;
mod observe;
mod options;
mod page;
mod redact;
mod reply;

pub use call::{Call, IdempotencyKey, LEASE_MARGIN, Operation, Subject};
pub use client::{BuildError, Client};
pub use domain::mapping::Record;
pub use error::{CallError, CallResult, FieldIssue};
pub use gate::{Aftermath, Gate, GateSettings, OpenGate, Probed, Refusal, SharedGate};
pub use health::{Capabilities, Health, HealthStatus};
pub use limiter::Limiter;
pub use observe::{CallMetrics, Observation, Observer, circuit_changed};
pub use options::Options;
pub use page::{ListQuery, Page};
