//! The order of a batch, which is what keeps two replicas from waiting for each other in a ring, and events that are in it twice.

use super::queue::Waiting;

/// Events in the order in which they are written, those with the same id side by side, the one that came first leading.
#[derive(Debug, Default)]
pub(super) struct Batch {
    waiting: Vec<Waiting>,
}

impl Batch {
    /// Sorts what was taken from the queue by source and event id.
    pub(super) fn sorted(mut waiting: Vec<Waiting>) -> Self {
        // Stable, so that the first to come leads. By bytes, as Postgres' unique index compares under no collation that matters here: any
        // order will do that all replicas share.
        waiting.sort_by(|a, b| key(a).cmp(&key(b)));
        Self { waiting }
    }

    /// Each event once, its group after it: the leader first, then those that were sent again within the batch.
    pub(super) fn groups(self) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::with_capacity(self.waiting.len());
        for waiting in self.waiting {
            match groups.last_mut() {
                Some(group) if key(&group.leader) == key(&waiting) => group.again.push(waiting),
                _ => groups.push(Group { leader: waiting, again: Vec::new() }),
            }
        }
        groups
    }
}

/// One event and whoever sent it again meanwhile.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) leader: Waiting,
    pub(super) again: Vec<Waiting>,
}

fn key(waiting: &Waiting) -> (&'static str, &str) {
    (waiting.event.source.as_str(), &waiting.event.event_id)
}
