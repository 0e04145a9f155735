//! What is to be sent, as the control API takes it: `{"count": 100}` sends a hundred stories to the configured endpoint.

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;
use serde::Deserialize;
use time::OffsetDateTime;
use url::Url;

use crate::stripe::{
    ApiShape, EventKind, Plan, Plot, StoryOptions, StripeCurrency, UnknownCurrency, api::Run, plan::Counts,
};

/// A request for a run.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SendOrder {
    /// How many stories (customers).
    pub count: u32,
    /// The number of the first one: runs with one seed and different numbers tell different stories.
    #[serde(default)]
    pub first_story: u64,
    /// What the stories are made from; drawn, and told in the progress, when left out.
    pub seed: Option<u64>,
    /// First tries a second; 0 for as fast as answers come.
    #[serde(default)]
    pub rate_per_second: u32,
    /// Events under way at once.
    #[serde(default = "eight")]
    pub concurrency: u32,
    /// Where to; the configured endpoint when left out.
    pub target: Option<Url>,
    /// What to sign with; the configured secret when left out.
    pub secret: Option<SecretString>,
    /// In any order instead of the stories'.
    #[serde(default)]
    pub shuffle: bool,
    /// The share of events that is sent twice, 0 to 1.
    #[serde(default)]
    pub duplicate_rate: f64,
    /// When to give up what wasn't accepted, in seconds after the beginning.
    #[serde(default = "five_minutes")]
    pub deadline_secs: u64,
    /// How long one try may take, in milliseconds.
    #[serde(default = "ten_seconds")]
    pub timeout_ms: u64,
    /// The share of events that no webhook tells of: they are found by the list of events only. 0 to 1.
    #[serde(default)]
    pub miss_rate: f64,
    /// The plots that stories take turns through, or `all`; single payments when left out.
    pub stories: Option<Vec<Told>>,
    /// Days and months pass as in life; a second each when left out.
    #[serde(default)]
    pub calendar: bool,
    /// ISO 4217 codes, or `all`; Stripe's several ways with decimals when left out.
    pub currencies: Option<Vec<String>>,
    /// Before or after 2025-03-31, or of 2020.
    #[serde(default)]
    pub api_shape: ApiShape,
    /// Payments of each customer.
    #[serde(default = "one")]
    pub payments_per_customer: u32,
    /// Which events are told; all when left out.
    pub kinds: Option<Vec<EventKind>>,
    /// Every so many stories end with `customer.updated`; 0 for none.
    #[serde(default = "four")]
    pub update_every: u32,
    /// When the stories begin; when left out now, or with `calendar` so long ago that they end about now.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub created: Option<OffsetDateTime>,
    /// Stripe's `livemode`.
    #[serde(default)]
    pub livemode: bool,
}

/// Which stories are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Told {
    /// `all`: every plot that UpCoach can follow.
    All(All),
    /// One plot.
    Plot(Plot),
}

/// The word `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum All {
    /// `all`
    All,
}

fn one() -> u32 {
    1
}
fn four() -> u32 {
    4
}
fn eight() -> u32 {
    8
}
fn five_minutes() -> u64 {
    300
}
fn ten_seconds() -> u64 {
    10_000
}

/// Why a run wasn't begun.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Something is wrong with the order.
    #[error("{field} {problem}")]
    Bad {
        /// The order's field.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A currency that stories don't know.
    #[error("currencies: {0}")]
    Currency(#[from] UnknownCurrency),
    /// Nothing to sign with.
    #[error("there is no secret to sign with: set STRIPE_WEBHOOK_SECRET, or give `secret`")]
    NoSecret,
}

/// An order with nothing left open.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) plan: Plan,
    pub(super) run: Arc<Run>,
    pub(super) seed: u64,
    pub(super) stories: u32,
    pub(super) payments: u64,
    pub(super) target: Url,
    pub(super) secret: SecretString,
    pub(super) rate_per_second: u32,
    pub(super) concurrency: u32,
    pub(super) deadline: Duration,
    pub(super) timeout: Duration,
}

const EVENTS_MAX: u64 = 10_000_000;

impl SendOrder {
    pub(super) fn prepare(self, target: &Url, secret: Option<&SecretString>, now_ms: i64) -> Result<Ready, Refused> {
        let bad = |field, problem| Err(Refused::Bad { field, problem });
        if !(0.0..=1.0).contains(&self.duplicate_rate) {
            return bad("duplicateRate", "must be from 0 to 1");
        }
        if !(0.0..=1.0).contains(&self.miss_rate) {
            return bad("missRate", "must be from 0 to 1");
        }
        if !(1..=1_000).contains(&self.concurrency) {
            return bad("concurrency", "must be from 1 to 1000");
        }
        if u64::from(self.count) > EVENTS_MAX {
            return bad("count", "makes more than 10,000,000 events");
        }
        let target = self.target.unwrap_or_else(|| target.clone());
        if !matches!(target.scheme(), "http" | "https") {
            return bad("target", "must be an http or https URL");
        }
        let secret = self.secret.or_else(|| secret.cloned()).ok_or(Refused::NoSecret)?;
        let mut options =
            StoryOptions::beginning_at(self.created.unwrap_or_else(OffsetDateTime::now_utc).unix_timestamp());
        if let Some(codes) = &self.currencies {
            options.currencies = currencies(codes)?;
            if options.currencies.is_empty() {
                return bad("currencies", "must not be empty");
            }
        }
        if let Some(stories) = &self.stories {
            options.plots = plots(stories);
            if options.plots.is_empty() {
                return bad("stories", "must not be empty");
            }
        }
        if let Some(kinds) = self.kinds {
            options.kinds = kinds;
        }
        options.shape = self.api_shape;
        options.payments = self.payments_per_customer;
        options.update_every = self.update_every;
        options.livemode = self.livemode;
        options.calendar = self.calendar;
        options.ends_at_created = self.created.is_none();
        let (events, payments) = totals(&options, self.first_story, self.count);
        if events > EVENTS_MAX {
            return bad("count", "makes more than 10,000,000 events");
        }
        let seed = self.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
        Ok(Ready {
            run: Arc::new(Run::new(seed, self.first_story, self.count, &options, now_ms)),
            plan: Plan::new(seed, self.first_story, self.count, options, self.shuffle, self.duplicate_rate)
                .leaving_out(self.miss_rate),
            seed,
            stories: self.count,
            payments,
            target,
            secret,
            rate_per_second: self.rate_per_second,
            concurrency: self.concurrency,
            deadline: Duration::from_secs(self.deadline_secs),
            timeout: Duration::from_millis(self.timeout_ms),
        })
    }
}

fn currencies(codes: &[String]) -> Result<Vec<StripeCurrency>, UnknownCurrency> {
    let mut chosen = Vec::new();
    for code in codes {
        match code.as_str() {
            "all" => chosen.extend(StripeCurrency::all()),
            code => chosen.push(StripeCurrency::from_code(code)?),
        }
    }
    Ok(chosen)
}

fn plots(stories: &[Told]) -> Vec<Plot> {
    let of = |told: &Told| match told {
        Told::All(All::All) => Plot::ALL.to_vec(),
        Told::Plot(plot) => vec![*plot],
    };
    stories.iter().flat_map(of).collect()
}

/// Events and payments of these stories.
fn totals(options: &StoryOptions, first: u64, count: u32) -> (u64, u64) {
    let counts = Counts::of(options);
    (0..u64::from(count)).fold((0, 0), |(events, payments), story| {
        let (more_events, more_payments) = counts.of_story(options, first.wrapping_add(story));
        (events + u64::from(more_events), payments + u64::from(more_payments))
    })
}
