//! The order in which a run's events are sent: eight bytes each, however many there are; the events themselves are made when their turn
//! comes.

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::{StoryOptions, StripeEvent, story};

/// A run of events.
#[derive(Debug, Clone)]
pub struct Plan {
    seed: u64,
    first_story: u64,
    options: StoryOptions,
    order: Vec<PlannedEvent>,
    repeats: usize,
}

/// One event of a run: the `nth` of the `story`th, counted from the run's first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedEvent {
    /// Counted from the run's first story.
    pub story: u32,
    /// Counted from the story's first event.
    pub nth: u32,
}

/// A repeat comes at most so many events after its first.
const REPEAT_WITHIN: usize = 50;

impl Plan {
    /// `stories` stories from number `first_story`, shuffled as a whole if asked for; each event is repeated with probability
    /// `duplicate_rate` (0 to 1).
    pub fn new(
        seed: u64,
        first_story: u64,
        stories: u32,
        options: StoryOptions,
        shuffle: bool,
        duplicate_rate: f64,
    ) -> Self {
        let mut random = StdRng::seed_from_u64(seed ^ first_story);
        let events = |number: u32| options.events_per_story(first_story + u64::from(number));
        let mut order: Vec<_> =
            (0..stories).flat_map(|story| (0..events(story)).map(move |nth| PlannedEvent { story, nth })).collect();
        let distinct = order.len();
        if shuffle {
            order.shuffle(&mut random);
        }
        order = with_repeats(order, duplicate_rate.clamp(0.0, 1.0), &mut random);
        let repeats = order.len() - distinct;
        Self { seed, first_story, options, order, repeats }
    }

    /// How many events are sent, repeats included.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// How many of them are repeats.
    pub fn repeats(&self) -> usize {
        self.repeats
    }

    /// The order.
    pub fn order(&self) -> &[PlannedEvent] {
        &self.order
    }

    /// The event at that place.
    pub fn event(&self, place: usize) -> Option<StripeEvent> {
        let PlannedEvent { story: number, nth } = *self.order.get(place)?;
        story(self.seed, self.first_story + u64::from(number), &self.options)
            .into_iter()
            .nth(usize::try_from(nth).ok()?)
    }
}

fn with_repeats(order: Vec<PlannedEvent>, rate: f64, random: &mut StdRng) -> Vec<PlannedEvent> {
    let mut placed: Vec<(usize, PlannedEvent)> = Vec::with_capacity(order.len());
    for (place, event) in order.into_iter().enumerate() {
        placed.push((place, event));
        if random.random_bool(rate) {
            placed.push((place + random.random_range(0..REPEAT_WITHIN), event));
        }
    }
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, event)| event).collect()
}
