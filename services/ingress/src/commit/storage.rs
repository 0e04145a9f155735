//! Where a handler's events go.

use std::sync::Arc;

use super::event::{Event, NotStored, Stored};
use super::queue::Queue;

/// What a handler waits for.
#[derive(Debug, Clone)]
pub(crate) enum Storage {
    /// The commit that holds the event.
    Commit(Arc<Queue>),
    /// Nothing: the benchmark's limit, what the same handler does without storage. No setting leads here.
    Nothing,
}

impl Storage {
    /// Waits until the event is durable.
    ///
    /// # Errors
    /// [`NotStored`].
    pub(crate) async fn store(&self, event: Event) -> Result<Stored, NotStored> {
        match self {
            Self::Commit(queue) => queue.store(event).await,
            Self::Nothing => Ok(Stored::New),
        }
    }
}
