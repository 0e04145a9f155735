//! FlashERP's webhooks: what changes is told to the integration, signed, and told again until it is answered 2xx, as the contract has it.
//!
//! A change is queued in the same step in which it takes effect, so that none is told that never was and none is left out, and the order of
//! the queue is that of the changes. What waits is kept in the snapshot, if there is one; else it ends with the process. The times between
//! tries pass by the sandbox's clock, so that three days of retries can be had in a moment.

mod change;
mod delivery;
mod event;
mod handle;
mod pending;
mod queue;
mod settings;
mod signature;
mod tally;

pub use change::{Author, Change};
pub use event::{EventId, EventType};
pub use handle::Webhooks;
pub use pending::Pending;
pub use queue::Order;
pub use settings::{NewSettings, Settings, Tells};
pub use signature::sign;
