//! Stripe's subscription, and the prices of its items.

use std::collections::BTreeMap;

use serde::Deserialize;
use time::OffsetDateTime;

use super::customer::Customer;
use super::expandable::{Expandable, Identified};
use super::fields;
use super::ids::{CustomerId, SubscriptionId};

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Subscription {
    /// `sub_...`
    pub id: SubscriptionId,
    /// Whose it is.
    pub customer: Expandable<Customer>,
    /// Where it stands.
    pub status: SubscriptionStatus,
    /// What is paid for.
    pub items: Items,
    /// What UpCoach put there.
    #[serde(default, deserialize_with = "fields::metadata")]
    pub metadata: BTreeMap<String, String>,
    /// Begin of the trial.
    #[serde(default, with = "time::serde::timestamp::option")]
    pub trial_start: Option<OffsetDateTime>,
    /// End of the trial.
    #[serde(default, with = "time::serde::timestamp::option")]
    pub trial_end: Option<OffsetDateTime>,
    /// Begin of the paid period, before 2025-03-31.
    #[serde(default, with = "time::serde::timestamp::option")]
    current_period_start: Option<OffsetDateTime>,
    /// End of the paid period, before 2025-03-31.
    #[serde(default, with = "time::serde::timestamp::option")]
    current_period_end: Option<OffsetDateTime>,
    /// When it was cancelled, or when its cancellation was asked for.
    #[serde(default, with = "time::serde::timestamp::option")]
    pub canceled_at: Option<OffsetDateTime>,
    /// When it ended.
    #[serde(default, with = "time::serde::timestamp::option")]
    pub ended_at: Option<OffsetDateTime>,
    /// When it was made.
    #[serde(with = "time::serde::timestamp")]
    pub created: OffsetDateTime,
}

/// Where a subscription stands, in Stripe's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionStatus {
    Active,
    PastDue,
    /// Its payments failed for good, and it was not cancelled.
    Unpaid,
    Canceled,
    Incomplete,
    IncompleteExpired,
    Trialing,
    Paused,
}

/// The items, as far as the event holds them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Items {
    /// In Stripe's order.
    pub data: Vec<Item>,
    /// Whether there are more than the event holds.
    #[serde(default)]
    pub has_more: bool,
}

/// One thing that is paid for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Item {
    /// At which price.
    pub price: Price,
    /// How many; none for what is metered.
    #[serde(default)]
    pub quantity: Option<i64>,
    /// Begin of the paid period, since 2025-03-31.
    #[serde(default, with = "time::serde::timestamp::option")]
    current_period_start: Option<OffsetDateTime>,
    /// End of the paid period, since 2025-03-31.
    #[serde(default, with = "time::serde::timestamp::option")]
    current_period_end: Option<OffsetDateTime>,
}

/// A price.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Price {
    /// `price_...`, or an old plan's own id.
    pub id: String,
    /// Three lower-case letters.
    #[serde(deserialize_with = "fields::currency")]
    pub currency: String,
    /// UpCoach's own name of it, such as `pro_monthly`.
    #[serde(default, deserialize_with = "fields::text")]
    pub lookup_key: Option<String>,
    /// What UpCoach put there, `plan` among it.
    #[serde(default, deserialize_with = "fields::metadata")]
    pub metadata: BTreeMap<String, String>,
    /// Of one, in Stripe's units; null if it is no whole number of them, or goes by tiers.
    #[serde(default)]
    pub unit_amount: Option<i64>,
    /// Of one, in Stripe's units, with up to 12 decimals; null if it goes by tiers.
    #[serde(default, deserialize_with = "fields::text")]
    pub unit_amount_decimal: Option<String>,
    /// How many make one that is paid for.
    #[serde(default)]
    pub transform_quantity: Option<TransformQuantity>,
    /// How often; none for what is paid once.
    #[serde(default)]
    pub recurring: Option<Recurring>,
}

/// Packages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TransformQuantity {
    /// The size of one.
    pub divide_by: i64,
    /// `up` or `down`.
    pub round: String,
}

/// How often a price is paid.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Recurring {
    /// `day`, `week`, `month` or `year`.
    pub interval: String,
    /// So many of them.
    pub interval_count: u32,
    /// `licensed`, or `metered`: paid by use, so that no amount can be told beforehand.
    #[serde(default, deserialize_with = "fields::text")]
    pub usage_type: Option<String>,
}

impl Subscription {
    /// Id of the customer.
    #[must_use]
    pub fn customer_id(&self) -> &CustomerId {
        self.customer.id()
    }

    /// Begin of the paid period, in whichever place the API version has it: of several items the earliest.
    #[must_use]
    pub fn period_start(&self) -> Option<OffsetDateTime> {
        self.current_period_start.or_else(|| self.items.data.iter().filter_map(|item| item.current_period_start).min())
    }

    /// End of the paid period, in whichever place the API version has it: of several items the latest.
    #[must_use]
    pub fn period_end(&self) -> Option<OffsetDateTime> {
        self.current_period_end.or_else(|| self.items.data.iter().filter_map(|item| item.current_period_end).max())
    }
}

impl Identified for Subscription {
    type Id = SubscriptionId;

    fn id(&self) -> &SubscriptionId {
        &self.id
    }
}
