//! Whether the process lives (`/healthz`), whether it can do its work (`/readyz`) and what it counts (`/metrics`), on a port of its
//! own that is up before anything else and stays up until the service has ended.
//!
//! `/readyz` is 200 when every required check passes, else 503; its body names each check and what is wrong. A check that does not
//! answer within three seconds has failed. A warning check is shown and decides nothing: the broker may be away.

mod checks;
mod server;

pub use checks::{CheckReport, Health, Importance, Liveness, Readiness};
pub use server::Management;
