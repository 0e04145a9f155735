//! What can happen to a customer, each as a script that tells it event by event. How many events a plot has depends on the API's version and
//! on which events are told, never on what is drawn.

mod beats;
mod billing;
mod disputes;
mod failures;
mod invoices;
mod pauses;
mod payments;
mod refunds;
mod subscriptions;

use serde::{Deserialize, Serialize};

use super::teller::Teller;

/// A kind of story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Plot {
    /// Single payments.
    Payment,
    /// A payment that is refused and then goes through.
    PaymentRetried,
    /// A payment that is given up.
    PaymentCanceled,
    /// A subscription whose first invoice is paid, and renewed once.
    Subscription,
    /// One of a team and further seats, whose number changes.
    SeveralItems,
    /// From one plan to another with proration, then to another interval.
    PlanChange,
    /// Begins with a trial, which goes over into paying.
    Trial,
    /// A trial that ends without a card: paused, then resumed.
    TrialPaused,
    /// Collection is paused, an invoice voided meanwhile, and resumed.
    CollectionPaused,
    /// Cancelled at the period's end.
    Cancellation,
    /// Cancelled at once, with a part of the money back.
    CancellationAtOnce,
    /// A renewal that fails and is paid by a later try.
    Recovered,
    /// A renewal that stays unpaid: the invoice is uncollectible, the subscription ends.
    Unrecovered,
    /// The first payment fails: the subscription never begins.
    NeverBegun,
    /// A payment refunded in parts, until nothing is left.
    Refunds,
    /// A refund that fails.
    RefundFailed,
    /// A dispute that UpCoach wins.
    DisputeWon,
    /// A dispute that UpCoach loses.
    DisputeLost,
    /// An enquiry that moves no money.
    DisputeInquiry,
    /// An invoice sent by mail and paid late.
    InvoiceSent,
    /// An invoice that is voided.
    InvoiceVoided,
    /// An invoice that nobody will pay.
    InvoiceUncollectible,
    /// A subscription to a price that names no plan. Not among [`Plot::ALL`].
    UnknownPrice,
    /// A subscription to be paid every six months. Not among [`Plot::ALL`].
    OddInterval,
}

impl Plot {
    /// Every plot that UpCoach can follow.
    pub const ALL: [Plot; 22] = [
        Plot::Payment,
        Plot::PaymentRetried,
        Plot::PaymentCanceled,
        Plot::Subscription,
        Plot::SeveralItems,
        Plot::PlanChange,
        Plot::Trial,
        Plot::TrialPaused,
        Plot::CollectionPaused,
        Plot::Cancellation,
        Plot::CancellationAtOnce,
        Plot::Recovered,
        Plot::Unrecovered,
        Plot::NeverBegun,
        Plot::Refunds,
        Plot::RefundFailed,
        Plot::DisputeWon,
        Plot::DisputeLost,
        Plot::DisputeInquiry,
        Plot::InvoiceSent,
        Plot::InvoiceVoided,
        Plot::InvoiceUncollectible,
    ];

    /// Tells it. `index` is the story's number.
    pub(super) fn play(self, teller: &mut Teller<'_>, index: u64) {
        match self {
            Plot::Payment => payments::payments(teller, index),
            Plot::PaymentRetried => payments::retried(teller),
            Plot::PaymentCanceled => payments::canceled(teller),
            Plot::Subscription => subscriptions::renewed(teller),
            Plot::SeveralItems => subscriptions::several_items(teller),
            Plot::PlanChange => subscriptions::plan_change(teller),
            Plot::UnknownPrice => subscriptions::unknown_price(teller),
            Plot::OddInterval => subscriptions::odd_interval(teller),
            Plot::Trial => pauses::trial(teller),
            Plot::TrialPaused => pauses::trial_paused(teller),
            Plot::CollectionPaused => pauses::collection_paused(teller),
            Plot::Cancellation => subscriptions::cancellation(teller),
            Plot::CancellationAtOnce => subscriptions::cancellation_at_once(teller),
            Plot::Recovered => failures::recovered(teller),
            Plot::Unrecovered => failures::unrecovered(teller),
            Plot::NeverBegun => failures::never_begun(teller),
            Plot::Refunds => refunds::in_parts(teller),
            Plot::RefundFailed => refunds::failed(teller),
            Plot::DisputeWon => disputes::won(teller),
            Plot::DisputeLost => disputes::lost(teller),
            Plot::DisputeInquiry => disputes::inquiry(teller),
            Plot::InvoiceSent => invoices::sent(teller),
            Plot::InvoiceVoided => invoices::voided(teller),
            Plot::InvoiceUncollectible => invoices::uncollectible(teller),
        }
    }
}
