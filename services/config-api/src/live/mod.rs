//! What happens, as it happens: facts from the broker, handed on to any number of clients.
//!
//! Nothing here is truth: an event says what to fetch again. So memory is bounded by dropping: a client that is slower than the events, or
//! was away longer than the last [`KEPT`] of them, is told `resync` instead of what it missed, and so is everybody after the broker was
//! away. A process that dies takes only that along: its clients come back to another, which does not know their last event.

mod batches;
mod event;
mod hub;
mod stream;

use events::AnyEvent;
use messaging::Heard;

pub(crate) use batches::watch as watch_batches;
pub use event::{Kind, Live};
pub use hub::{Hub, KEPT, Subscription};
pub use stream::{HEARTBEAT, stream};

/// Tells all clients what of a fact is for them.
pub(crate) fn hear(hub: &Hub, heard: &Heard<AnyEvent>) {
    match heard {
        Heard::Event(received) => {
            if let Some((kind, data)) = event::of(&received.message) {
                hub.publish(kind, &data);
            }
        }
        Heard::Gap => hub.publish(Kind::Resync, &event::missed("broker")),
    }
}
