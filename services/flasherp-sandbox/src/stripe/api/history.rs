//! What has happened at this Stripe: runs of stories, the newest last. Of a run only is kept what its stories are made from, and (once
//! somebody asked for it) sixteen bytes per event, in the order of their times.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::Value;

use crate::stripe::{ApiShape, EventKind, StoryOptions, ids::StoryKey, tell, teller::Wanted};

/// Stories that have happened.
#[derive(Debug)]
pub struct Run {
    seed: u64,
    first_story: u64,
    stories: u32,
    /// With all kinds of events: the list has also those that no webhook is asked to tell.
    options: StoryOptions,
    /// Unix milliseconds.
    began_ms: i64,
    events: OnceLock<Vec<EventRef>>,
}

/// One event of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EventRef {
    /// Unix seconds.
    pub(super) created: i64,
    /// Counted from the run's first.
    pub(super) story: u32,
    /// Counted from the story's first.
    pub(super) nth: u16,
    /// Place in [`EVENT_TYPES`].
    event_type: u16,
}

/// Every type that stories tell.
const EVENT_TYPES: [&str; 34] = [
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
    "charge.failed",
    "charge.refund.updated",
    "charge.refunded",
    "charge.succeeded",
    "charge.updated",
    "customer.created",
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.trial_will_end",
    "customer.subscription.updated",
    "customer.updated",
    "invoice.created",
    "invoice.finalized",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.payment_failed",
    "invoice.payment_succeeded",
    "invoice.sent",
    "invoice.voided",
    "invoice_payment.paid",
    "payment_intent.canceled",
    "payment_intent.created",
    "payment_intent.payment_failed",
    "payment_intent.succeeded",
    "refund.created",
    "refund.failed",
    "refund.updated",
];

impl EventRef {
    pub(super) fn event_type(&self) -> &'static str {
        EVENT_TYPES.get(usize::from(self.event_type)).copied().unwrap_or_default()
    }
}

impl Run {
    /// Stories from number `first_story`, which have happened by `began_ms`.
    pub fn new(seed: u64, first_story: u64, stories: u32, options: &StoryOptions, began_ms: i64) -> Self {
        let options = StoryOptions { kinds: EventKind::ALL.to_vec(), ..options.clone() };
        Self { seed, first_story, stories, options, began_ms, events: OnceLock::new() }
    }

    pub(super) fn began_ms(&self) -> i64 {
        self.began_ms
    }

    /// Whether that number is one of its stories.
    fn covers(&self, index: u64) -> bool {
        index.checked_sub(self.first_story).is_some_and(|place| place < u64::from(self.stories))
    }

    /// Whether it tells the same story as `other` does, so that all ids are the same.
    pub(super) fn repeats(&self, other: &Run, story: u32) -> bool {
        self.seed == other.seed && self.covers(other.first_story.wrapping_add(u64::from(story)))
    }

    /// Its events, oldest first.
    pub(super) fn events(&self) -> &[EventRef] {
        self.events.get_or_init(|| {
            let mut events = Vec::new();
            for story in 0..self.stories {
                let told = tell(self.seed, self.first_story + u64::from(story), &self.options, Wanted::Heads);
                events.extend((0..).zip(told.events).map(|(nth, event)| {
                    let event_type = EVENT_TYPES.binary_search(&event.event_type).unwrap_or(usize::MAX);
                    EventRef {
                        created: event.created,
                        story,
                        nth,
                        event_type: u16::try_from(event_type).unwrap_or(u16::MAX),
                    }
                }));
            }
            events.sort_unstable();
            events
        })
    }

    /// The JSON of one of its events.
    pub(super) fn render(&self, event: EventRef) -> Value {
        let index = self.first_story + u64::from(event.story);
        let told = tell(self.seed, index, &self.options, Wanted::Only(u32::from(event.nth)));
        let body = told.events.into_iter().nth(usize::from(event.nth)).map(|event| event.body).unwrap_or_default();
        serde_json::from_slice(&body).unwrap_or_default()
    }

    /// Where an event stands; `None` if the story has none of this id.
    pub(super) fn find_event(&self, index: u64, id: &str) -> Option<EventRef> {
        let told = tell(self.seed, index, &self.options, Wanted::Heads);
        let nth = told.events.iter().position(|event| event.id == id)?;
        let story = u32::try_from(index - self.first_story).ok()?;
        let event = told.events.get(nth)?;
        let event_type = EVENT_TYPES.binary_search(&event.event_type).ok()?;
        Some(EventRef {
            created: event.created,
            story,
            nth: u16::try_from(nth).ok()?,
            event_type: u16::try_from(event_type).ok()?,
        })
    }

    /// The objects of a story, in a shape or in its own.
    pub(super) fn objects(&self, index: u64, shape: Option<ApiShape>) -> Vec<Value> {
        match shape {
            Some(shape) if shape != self.options.shape => {
                tell(self.seed, index, &StoryOptions { shape, ..self.options.clone() }, Wanted::Heads).objects
            }
            _ => tell(self.seed, index, &self.options, Wanted::Heads).objects,
        }
    }

    /// All objects of one kind (`payment_intent`), story by story.
    pub fn all_objects(&self, kind: &str) -> Vec<Value> {
        let stories = (0..u64::from(self.stories)).flat_map(|place| self.objects(self.first_story + place, None));
        stories.filter(|object| object.get("object").is_some_and(|known| known == kind)).collect()
    }
}

/// So many runs are remembered; the oldest is forgotten first.
const REMEMBERED: usize = 100;

/// All runs.
#[derive(Debug, Default)]
pub struct History(Mutex<Vec<Arc<Run>>>);

impl History {
    /// Something has happened.
    pub fn add(&self, run: Arc<Run>) {
        let mut runs = self.locked();
        runs.push(run);
        let too_many = runs.len().saturating_sub(REMEMBERED);
        runs.drain(..too_many);
    }

    /// Nothing has happened.
    pub fn clear(&self) {
        self.locked().clear();
    }

    /// The runs, oldest first.
    pub(super) fn runs(&self) -> Vec<Arc<Run>> {
        self.locked().clone()
    }

    /// The run and the number of the story whose ids look like `id`; the newest, if it was told several times.
    pub(super) fn story_of(&self, id: &str) -> Option<(Arc<Run>, u64)> {
        let key = StoryKey::in_id(id)?;
        let runs = self.locked();
        let mut found =
            runs.iter().rev().map(|run| (run, key.index(run.seed))).filter(|(run, index)| run.covers(*index));
        found.next().map(|(run, index)| (Arc::clone(run), index))
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Arc<Run>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stripe::{Plot, story};

    #[test]
    fn every_type_that_a_story_tells_is_known() {
        assert!(EVENT_TYPES.is_sorted());
        let options = StoryOptions { plots: Plot::ALL.to_vec(), update_every: 22, ..StoryOptions::beginning_at(0) };
        let mut told: Vec<_> =
            (0..44).flat_map(|index| story(1, index, &options)).map(|event| event.event_type).collect();
        let all = StoryOptions { plots: vec![Plot::Payment], update_every: 1, ..options };
        told.extend(story(1, 0, &all).iter().map(|event| event.event_type));
        told.sort_unstable();
        told.dedup();
        assert_eq!(told, EVENT_TYPES);
    }
}
