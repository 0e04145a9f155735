//! One refund transaction per refund; what of a payment has gone back is the sum of its completed refunds.

use domain::stripe_uuid;
use domain::upcoach::{TransactionStatus, TransactionType};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use webhooks::stripe::{Refund, RefundStatus};

use super::books::Books;
use super::fold::Outcome;
use super::newest::{Newest, Told, Version};
use super::payment;
use super::transaction::Transaction;

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

/// Takes in what an event of `created` tells of a refund.
pub(crate) fn take(books: &mut Books, refund: &Refund, created: OffsetDateTime) -> Outcome {
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
    Newest::take(&mut row.stripe_facts.refund, Version::new(created, rank), told);
    row.original_id = Some(original.id);
    row.compute_refund();
    let records = [row.id, original.id].map(|id| (domain::EntityType::Transaction, id));
    books.transactions.set(row);

    let of_original =
        |row: &&Transaction| row.original_id == Some(original.id) && row.kind == TransactionType::Refund.as_str();
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
