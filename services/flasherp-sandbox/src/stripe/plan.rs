//! The order in which a run's events are sent: eight bytes each, however many there are; the events themselves are made when their turn
//! comes.

use std::collections::HashMap;

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::{Plot, StoryOptions, StripeEvent, tell, teller::Wanted};

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
        let counts = Counts::of(&options);
        let events = |story: u32| counts.of_story(&options, first_story + u64::from(story)).0;
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

    /// The same without a share of the events (0 to 1), each with its repeats: they have happened, and no webhook tells of them.
    #[must_use]
    pub fn leaving_out(mut self, miss_rate: f64) -> Self {
        if miss_rate > 0.0 {
            let rate = miss_rate.min(1.0);
            let is_missed = |event: &PlannedEvent| {
                let place = (u64::from(event.story) << 32) | u64::from(event.nth);
                StdRng::seed_from_u64(self.seed ^ self.first_story.rotate_left(17) ^ place.rotate_left(7))
                    .random_bool(rate)
            };
            self.order.retain(|event| !is_missed(event));
            let mut seen = std::collections::HashSet::new();
            self.repeats = self.order.iter().filter(|event| !seen.insert((event.story, event.nth))).count();
        }
        self
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
        let PlannedEvent { story, nth } = *self.order.get(place)?;
        let told = tell(self.seed, self.first_story + u64::from(story), &self.options, Wanted::Only(nth));
        told.events.into_iter().nth(usize::try_from(nth).ok()?)
    }
}

/// How many events and payments stories have, each plot counted once.
#[derive(Debug)]
pub(super) struct Counts(HashMap<Plot, (u32, u32)>);

impl Counts {
    pub(super) fn of(options: &StoryOptions) -> Self {
        let mut counts = HashMap::new();
        for plot in options.plots.iter().filter(|plot| **plot != Plot::Payment) {
            counts.entry(*plot).or_insert_with(|| options.counts(*plot));
        }
        Self(counts)
    }

    /// Those of story number `index`.
    pub(super) fn of_story(&self, options: &StoryOptions, index: u64) -> (u32, u32) {
        let counted = self.0.get(&options.plot(index)).copied();
        counted.unwrap_or_else(|| (options.events_per_story(index), options.payments_per_story(index)))
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
