//! One refund transaction per refund; what of a payment has gone back is the sum of its completed refunds.

use domain::stripe_uuid;
use domain::upcoach::{TransactionStatus, TransactionType};
use serde::{Deserialize, Serialize};
use webhooks::stripe::{Charge, Refund, RefundStatus};

use super::books::Books;
use super::fold::Outcome;
use super::newest::{Newest, Told, Version};
use super::transaction::Transaction;
use super::wants::{Occasion, What};
use super::{keys, payment};

/// What a refund tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct RefundTold {
    status: TransactionStatus,
    amount: i64,
    currency: String,
    charge: Option<String>,
    description: Option<String>,
    reason: Option<String>,
}

impl Told for RefundTold {}

/// Takes in what was told of a refund.
pub(crate) fn take(books: &mut Books, refund: &Refund, occasion: Occasion) -> Outcome {
    let (intent, charge) = (refund.payment_intent_id().map(|id| id.as_str()), refund.charge_id().map(|id| id.as_str()));
    let mut original = match payment::original(books, intent, charge, "refund") {
        Ok(original) => original,
        Err(outcome) => return outcome,
    };
    let (status, rank) = match refund.status {
        None | Some(RefundStatus::Succeeded) => (TransactionStatus::Completed, 2),
        Some(RefundStatus::Failed | RefundStatus::Canceled) => (TransactionStatus::Failed, 3),
        Some(RefundStatus::Pending | RefundStatus::RequiresAction | RefundStatus::Other) => {
            (TransactionStatus::Pending, 1)
        }
    };
    let known = books.transactions.find(refund.id.as_str()).cloned();
    let mut row = known.unwrap_or_else(|| Transaction {
        stripe_refund_id: Some(refund.id.as_str().to_owned()),
        ..Transaction::new(
            stripe_uuid(refund.id.as_str()),
            original.user_id,
            TransactionType::Refund,
            &refund.currency,
            refund.created,
        )
    });
    let told = RefundTold {
        status,
        amount: refund.amount,
        currency: refund.currency.clone(),
        charge: charge.map(str::to_owned),
        description: refund.reason.clone(),
        reason: refund.failure_reason.clone(),
    };
    Newest::take(&mut row.stripe_facts.refund, Version::of(occasion, rank), told);
    if row.stripe_facts.refund.as_ref().is_some_and(Newest::is_undecided) {
        books.want(What::Refund, refund.id.as_str(), occasion);
    }
    row.original_id = Some(original.id);
    row.compute_refund();
    let records = [row.id, original.id].map(|id| (domain::EntityType::Transaction, id));
    books.transactions.set(row);

    let of_original = |row: &&Transaction| row.original_id == Some(original.id) && row.is_refund();
    let completed = |row: &&Transaction| row.status == TransactionStatus::Completed.as_str();
    let sum = books
        .transactions
        .iter()
        .filter(of_original)
        .filter(completed)
        .map(|row| row.amount)
        .fold(0, i64::saturating_add);
    original.refunded(sum);
    books.transactions.set(original);
    Outcome::applied(records)
}

/// What becomes of a charge's event that counts more refunded than it lists and than is known: the refunds are asked for, and it waits until another
/// one is told of. Its own effects stay. API versions since 2022-11-15 list no refunds in a charge, and an endpoint may not be told `refund.*`.
pub(crate) fn await_missing(books: &mut Books, charge: &Charge, occasion: Occasion) -> Option<Outcome> {
    let original = payment::known(books, [charge.payment_intent_id().map(|id| id.as_str()), Some(charge.id.as_str())])?;
    let counted = charge.amount_refunded.min(charge.amount_captured.unwrap_or(charge.amount));
    // What had failed by then is not in the charge's sum; what failed later is.
    let told_by_then = |row: &&Transaction| {
        let newest = row.stripe_facts.refund.as_ref();
        let failed_before = newest.is_some_and(|newest| {
            newest.get().status == TransactionStatus::Failed
                && Version::of(occasion, 0).is_of_later_second_than(*newest.at())
        });
        row.is_refund() && row.original_id == Some(original.id) && !failed_before
    };
    let known = books.transactions.iter().filter(told_by_then).map(|row| row.amount).fold(0, i64::saturating_add);
    if known >= counted {
        return None;
    }
    let id = charge.id.as_str();
    books.want(What::RefundsOfCharge, id, occasion);
    Some(Outcome::Parked(keys::more_refunds_than(id, books.refunds_of(id)).into()))
}

impl Transaction {
    fn compute_refund(&mut self) {
        let Some(told) = self.stripe_facts.refund.as_ref().map(|newest| newest.get().clone()) else { return };
        self.status = told.status.as_str().to_owned();
        self.amount = told.amount;
        self.currency = told.currency;
        self.stripe_charge_id = told.charge;
        self.description = told.description;
        self.failure_reason =
            (told.status == TransactionStatus::Failed).then(|| told.reason.unwrap_or_else(|| "not told".to_owned()));
    }
}
