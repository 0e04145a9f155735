//! Stripe's subscriptions as UpCoach's. A failed payment of an invoice counts as an event of its subscription: it makes what runs past due,
//! until the subscription itself tells something newer.

use domain::stripe_uuid;
use domain::upcoach::{BillingInterval, Plan, SubscriptionStatus};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;
use webhooks::stripe::{self, Event, Invoice};

use super::books::{Books, Row};
use super::fold::Outcome;
use super::keys;
use super::newest::{Newest, Told, Version};
use super::plan::{self, Plans};
use super::user::named_user;
use super::wants::{Occasion, What};

/// A row of `upcoach.subscriptions`. The amount is in Stripe's units of `currency`, per interval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub(crate) struct Subscription {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) stripe_subscription_id: Option<String>,
    pub(crate) stripe_customer_id: Option<String>,
    pub(crate) plan: String,
    pub(crate) status: String,
    pub(crate) billing_interval: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) trial_start: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) trial_end: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) current_period_start: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) current_period_end: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) canceled_at: Option<OffsetDateTime>,
    #[sqlx(json)]
    pub(crate) stripe_facts: SubscriptionFacts,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) created_at: OffsetDateTime,
}

/// What Stripe's objects told of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SubscriptionFacts {
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription: Option<Newest<SubscriptionTold>>,
    /// When a payment of one of its invoices failed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_failed: Option<Version>,
}

/// What a subscription tells. Times are unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct SubscriptionTold {
    status: SubscriptionStatus,
    plan: Plan,
    interval: BillingInterval,
    amount: i64,
    currency: String,
    trial: (Option<i64>, Option<i64>),
    period: (Option<i64>, Option<i64>),
    canceled_at: Option<i64>,
    /// Its status before, where that changed.
    replaced: Option<SubscriptionStatus>,
}

impl Told for SubscriptionTold {
    fn replaced(&self, other: &Self) -> bool {
        self.replaced == Some(other.status) && self.status != other.status
    }
}

impl Row for Subscription {
    fn id(&self) -> Uuid {
        self.id
    }

    fn names(&self) -> Vec<(String, String)> {
        self.stripe_subscription_id.iter().map(|id| (id.clone(), keys::subscription(id))).collect()
    }
}

/// Takes a subscription's event in.
pub(crate) fn take(books: &mut Books, event: &Event<stripe::Subscription>, plans: &Plans) -> Outcome {
    let subscription = &event.object;
    let priced = match plan::read(&subscription.items, plans) {
        Ok(priced) => priced,
        Err(reason) => return Outcome::invalid(reason),
    };
    let (stripe_id, customer) = (subscription.id.as_str(), subscription.customer_id().as_str());
    let known = books.subscriptions.find(stripe_id).cloned();
    let mut row = match known {
        Some(row) => row,
        None => match books.user_of(named_user(&subscription.metadata), Some(customer), String::new) {
            Ok(user) => new_row(subscription, user),
            Err(keys) => return Outcome::Parked(keys),
        },
    };
    let status = status(subscription.status);
    let unix = |at: Option<OffsetDateTime>| at.map(OffsetDateTime::unix_timestamp);
    let told = SubscriptionTold {
        status,
        plan: priced.plan,
        interval: priced.interval,
        amount: priced.amount,
        currency: priced.currency,
        trial: (unix(subscription.trial_start), unix(subscription.trial_end)),
        period: (unix(subscription.period_start()), unix(subscription.period_end())),
        canceled_at: unix(subscription.canceled_at.or(subscription.ended_at)),
        replaced: event.before.get("status").cloned().flatten().and_then(|before| before.parse().ok()),
    };
    let is_over = matches!(status, SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired);
    let rank = match event.event_type.as_str() {
        _ if is_over => 3,
        "customer.subscription.created" => 0,
        _ => 1,
    };
    let occasion = Occasion::from(event);
    Newest::take(&mut row.stripe_facts.subscription, Version::of(occasion, rank), told);
    if row.stripe_facts.subscription.as_ref().is_some_and(Newest::is_undecided) {
        books.want(What::Subscription, stripe_id, occasion);
    }
    row.compute();
    let id = row.id;
    books.subscriptions.set(row);
    Outcome::applied([(domain::EntityType::Subscription, id)])
}

/// Takes in that a payment of an invoice failed.
pub(crate) fn payment_failed(books: &mut Books, event: &Event<Invoice>) -> Outcome {
    let Some(stripe_id) = event.object.subscription_id().map(|id| id.as_str()) else { return Outcome::nothing() };
    let Some(mut row) = books.subscriptions.find(stripe_id).cloned() else {
        return Outcome::Parked(keys::subscription(stripe_id).into());
    };
    let failed = Version::new(event.created, 0);
    row.stripe_facts.payment_failed = row.stripe_facts.payment_failed.max(Some(failed));
    row.compute();
    let id = row.id;
    books.subscriptions.set(row);
    Outcome::applied([(domain::EntityType::Subscription, id)])
}

fn status(status: stripe::SubscriptionStatus) -> SubscriptionStatus {
    match status {
        stripe::SubscriptionStatus::Active => SubscriptionStatus::Active,
        // UpCoach has one word for what is owed.
        stripe::SubscriptionStatus::PastDue | stripe::SubscriptionStatus::Unpaid => SubscriptionStatus::PastDue,
        stripe::SubscriptionStatus::Canceled => SubscriptionStatus::Canceled,
        stripe::SubscriptionStatus::Incomplete => SubscriptionStatus::Incomplete,
        stripe::SubscriptionStatus::IncompleteExpired => SubscriptionStatus::IncompleteExpired,
        stripe::SubscriptionStatus::Trialing => SubscriptionStatus::Trialing,
        stripe::SubscriptionStatus::Paused => SubscriptionStatus::Paused,
    }
}

fn new_row(subscription: &stripe::Subscription, user: Uuid) -> Subscription {
    Subscription {
        id: stripe_uuid(subscription.id.as_str()),
        user_id: user,
        stripe_subscription_id: Some(subscription.id.as_str().to_owned()),
        stripe_customer_id: Some(subscription.customer_id().as_str().to_owned()),
        plan: Plan::Free.as_str().to_owned(),
        status: SubscriptionStatus::Incomplete.as_str().to_owned(),
        billing_interval: BillingInterval::Monthly.as_str().to_owned(),
        amount: 0,
        currency: "usd".to_owned(),
        trial_start: None,
        trial_end: None,
        current_period_start: None,
        current_period_end: None,
        canceled_at: None,
        stripe_facts: SubscriptionFacts::default(),
        created_at: subscription.created,
    }
}

impl Subscription {
    fn compute(&mut self) {
        let runs = |status: &str| {
            [SubscriptionStatus::Active, SubscriptionStatus::Trialing].iter().any(|runs| runs.as_str() == status)
        };
        let failed = self.stripe_facts.payment_failed;
        let Some(newest) = &self.stripe_facts.subscription else {
            // Imported, and only a failed payment has been told of.
            if failed.is_some() && runs(&self.status) {
                self.status = SubscriptionStatus::PastDue.as_str().to_owned();
            }
            return;
        };
        let told = newest.get();
        let failed_since = failed.is_some_and(|failed| failed.is_of_later_second_than(*newest.at()));
        let status = told.status.as_str();
        let time = |unix: Option<i64>| unix.and_then(|unix| OffsetDateTime::from_unix_timestamp(unix).ok());
        self.status =
            if failed_since && runs(status) { SubscriptionStatus::PastDue.as_str() } else { status }.to_owned();
        self.plan = told.plan.as_str().to_owned();
        self.billing_interval = told.interval.as_str().to_owned();
        self.amount = told.amount;
        self.currency.clone_from(&told.currency);
        (self.trial_start, self.trial_end) = (time(told.trial.0), time(told.trial.1));
        (self.current_period_start, self.current_period_end) = (time(told.period.0), time(told.period.1));
        self.canceled_at = time(told.canceled_at);
    }
}
