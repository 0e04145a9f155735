//! What stories are to be like.

use serde::{Deserialize, Serialize};

use super::{Plot, StripeCurrency, teller::Wanted};

/// Options of [`super::story`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoryOptions {
    /// The stories take turns through these; never empty.
    pub plots: Vec<Plot>,
    /// Which events are told; a story is the same story with fewer.
    pub kinds: Vec<EventKind>,
    /// Each payment takes one of these; never empty.
    pub currencies: Vec<StripeCurrency>,
    /// Before or after 2025-03-31.
    pub shape: ApiShape,
    /// Payments of each customer of [`Plot::Payment`].
    pub payments: u32,
    /// Every so many stories of [`Plot::Payment`] end with `customer.updated`; 0 for none.
    pub update_every: u32,
    /// Unix seconds at which each story begins.
    pub created: i64,
    /// Days and months pass in a story as they do in life, instead of in a second each. What is due later (periods, trial ends) follows the
    /// calendar in both cases.
    pub calendar: bool,
    /// With `calendar`: subscriptions began so long before `created` that their stories end about then.
    pub ends_at_created: bool,
    /// Stripe's `livemode`.
    pub livemode: bool,
}

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// `customer.created`, `customer.updated`
    Customer,
    /// `payment_intent.*`
    Payment,
    /// `charge.succeeded`, `charge.failed`, `charge.updated`
    Charge,
    /// `invoice.*`, `invoice_payment.paid`
    Invoice,
    /// `customer.subscription.*`
    Subscription,
    /// `refund.*`, `charge.refunded`, `charge.refund.updated`
    Refund,
    /// `charge.dispute.*`
    Dispute,
}

impl EventKind {
    /// All of them.
    pub const ALL: [EventKind; 7] = [
        EventKind::Customer,
        EventKind::Payment,
        EventKind::Charge,
        EventKind::Invoice,
        EventKind::Subscription,
        EventKind::Refund,
        EventKind::Dispute,
    ];
}

/// The API version that events are rendered in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApiShape {
    /// 2020: as before 2025-03-31, and charges list their refunds, which have no events of their own but `charge.refund.updated`.
    Oldest,
    /// Before 2025-03-31: payment intents and charges name their invoice, invoices their subscription, charge and payment intent.
    Legacy,
    /// After it: invoice payments link invoices and payment intents, and periods are those of a subscription's items.
    #[default]
    Current,
}

impl ApiShape {
    /// `api_version` of the events.
    pub const fn api_version(self) -> &'static str {
        match self {
            ApiShape::Oldest => "2020-03-02",
            ApiShape::Legacy => "2024-06-20",
            ApiShape::Current => "2025-09-30.clover",
        }
    }

    /// The shape of an API version, as `2024-06-20` or `2025-09-30.clover`.
    pub fn of_version(version: &str) -> Self {
        match version.get(..10).unwrap_or(version) {
            date if date >= "2025-03-31" => ApiShape::Current,
            date if date >= "2022-11-15" => ApiShape::Legacy,
            _ => ApiShape::Oldest,
        }
    }
}

impl StoryOptions {
    /// Stories that begin at `created` (unix seconds): single payments, all kinds of events, Stripe's several ways with decimals.
    pub fn beginning_at(created: i64) -> Self {
        Self {
            plots: vec![Plot::Payment],
            kinds: EventKind::ALL.to_vec(),
            currencies: StripeCurrency::USUAL.to_vec(),
            shape: ApiShape::default(),
            payments: 1,
            update_every: 4,
            created,
            calendar: false,
            ends_at_created: false,
            livemode: false,
        }
    }

    /// The plot of story number `index`.
    pub fn plot(&self, index: u64) -> Plot {
        let turn = usize::try_from(index % self.plots.len().max(1) as u64).unwrap_or_default();
        self.plots.get(turn).copied().unwrap_or(Plot::Payment)
    }

    /// Whether story number `index` ends with `customer.updated`, if it is one of single payments.
    pub fn has_update(&self, index: u64) -> bool {
        self.update_every > 0 && index % u64::from(self.update_every) == u64::from(self.update_every) - 1
    }

    /// How many events story number `index` has.
    pub fn events_per_story(&self, index: u64) -> u32 {
        match self.plot(index) {
            Plot::Payment => self.events_of_payments(index),
            plot => self.counts(plot).0,
        }
    }

    /// How many payments story number `index` has that go through.
    pub fn payments_per_story(&self, index: u64) -> u32 {
        match self.plot(index) {
            Plot::Payment => self.payments,
            plot => self.counts(plot).1,
        }
    }

    fn events_of_payments(&self, index: u64) -> u32 {
        let has = |kind| u32::from(self.kinds.contains(&kind));
        has(EventKind::Customer) * (1 + u32::from(self.has_update(index)))
            + self.payments * (has(EventKind::Payment) + has(EventKind::Charge))
    }

    /// Events and payments of a plot. Both are the same in each of its stories, so one of them is told to count.
    pub(super) fn counts(&self, plot: Plot) -> (u32, u32) {
        let told = super::tell(0, 0, &Self { plots: vec![plot], ..self.clone() }, Wanted::Heads);
        let is_paid = |object: &&serde_json::Value| {
            object.get("object").is_some_and(|kind| kind == "payment_intent")
                && object.get("status").is_some_and(|status| status == "succeeded")
        };
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        (count(told.events.len()), count(told.objects.iter().filter(is_paid).count()))
    }
}
