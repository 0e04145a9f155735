//! `upcoach.subscriptions`: what is paid for again and again.

use time::OffsetDateTime;

use crate::{
    ids::{SubscriptionId, UserId},
    labels::labels,
};

labels! {
    /// What was subscribed to.
    pub enum Plan {
        /// Nothing to pay.
        Free => "free",
        /// The smallest.
        Basic => "basic",
        /// For a coach.
        Pro => "pro",
        /// For several.
        Team => "team",
        /// By contract.
        Enterprise => "enterprise",
    }
}

labels! {
    /// Stripe's subscription status, as UpCoach keeps it.
    pub enum SubscriptionStatus {
        /// In use.
        Active => "active",
        /// In use, a payment is due.
        PastDue => "past_due",
        /// Over.
        Canceled => "canceled",
        /// Not yet begun: the first payment is open.
        Incomplete => "incomplete",
        /// Never begun.
        IncompleteExpired => "incomplete_expired",
        /// In use, not yet paid for.
        Trialing => "trialing",
        /// Held.
        Paused => "paused",
    }
}

labels! {
    /// How often it is paid.
    pub enum BillingInterval {
        /// Each month.
        Monthly => "monthly",
        /// Each third month.
        Quarterly => "quarterly",
        /// Each year.
        Yearly => "yearly",
    }
}

impl BillingInterval {
    /// From a Stripe price's `recurring.interval` and `interval_count`; none for what FlashERP has no name for.
    #[must_use]
    pub fn from_stripe(interval: &str, count: u32) -> Option<Self> {
        match (interval, count) {
            ("month", 1) => Some(Self::Monthly),
            ("month", 3) => Some(Self::Quarterly),
            ("year", 1) => Some(Self::Yearly),
            _ => None,
        }
    }
}

/// A row of `upcoach.subscriptions`. The amount is in Stripe's units of `currency`, per interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its id, FlashERP's `upcoachReference`.
    pub id: SubscriptionId,
    /// Whose.
    pub user_id: UserId,
    /// `sub_...`
    pub stripe_subscription_id: Option<String>,
    /// `cus_...`
    pub stripe_customer_id: Option<String>,
    /// What was subscribed to.
    pub plan: Plan,
    /// Its state.
    pub status: SubscriptionStatus,
    /// How often it is paid.
    pub billing_interval: BillingInterval,
    /// How much per interval.
    pub amount: i64,
    /// ISO 4217, either case.
    pub currency: String,
    /// Begin of the trial.
    pub trial_start: Option<OffsetDateTime>,
    /// End of the trial.
    pub trial_end: Option<OffsetDateTime>,
    /// Begin of the paid period.
    pub current_period_start: Option<OffsetDateTime>,
    /// End of the paid period.
    pub current_period_end: Option<OffsetDateTime>,
    /// When it was cancelled.
    pub canceled_at: Option<OffsetDateTime>,
    /// Stripe's `created`, else when the row was made.
    pub created_at: OffsetDateTime,
    /// When the row last changed.
    pub updated_at: OffsetDateTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_intervals_that_flasherp_knows_have_a_name() {
        assert_eq!(BillingInterval::from_stripe("month", 1), Some(BillingInterval::Monthly));
        assert_eq!(BillingInterval::from_stripe("month", 3), Some(BillingInterval::Quarterly));
        assert_eq!(BillingInterval::from_stripe("year", 1), Some(BillingInterval::Yearly));
        for (interval, count) in
            [("month", 2), ("month", 6), ("month", 12), ("week", 1), ("day", 30), ("year", 2), ("", 0)]
        {
            assert_eq!(BillingInterval::from_stripe(interval, count), None, "{interval}/{count}");
        }
    }
}
