//! What happens, as it happens: facts from the broker, heard once for the process, and handed on to any number of clients.
//!
//! Nothing here is truth: an event says what to fetch again. So memory is bounded by dropping: a client that is slower than the events, or
//! was away longer than the last [`KEPT`] of them, is told `resync` instead of what it missed, and so is everybody after the broker was
//! away. A process that dies takes only that along: its clients come back to another, which does not know their last event.

mod batches;
mod event;
mod hub;
mod stream;

use std::sync::Arc;

use events::AnyEvent;
use messaging::{Broker, Heard};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

pub use event::{Kind, Live};
pub use hub::{Hub, KEPT, Subscription};
pub use stream::{HEARTBEAT, stream};

/// Hears facts and looks after batches until `stop`.
pub(crate) async fn run(hub: Arc<Hub>, broker: Broker, pool: PgPool, stop: CancellationToken) {
    let heard_by = Arc::clone(&hub);
    let on_heard = move |heard: Heard<AnyEvent>| match heard {
        Heard::Event(received) => {
            if let Some((kind, data)) = event::of(&received.message) {
                heard_by.publish(kind, &data);
            }
        }
        Heard::Gap => heard_by.publish(Kind::Resync, &event::missed("broker")),
    };
    tokio::join!(messaging::fanout::run(broker, on_heard, stop.clone()), batches::watch(&hub, &pool, &stop));
}
