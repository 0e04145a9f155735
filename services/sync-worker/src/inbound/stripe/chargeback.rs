//! A dispute is a chargeback transaction: pending, completed when it is lost, failed when it is won. An inquiry (`warning_*`) moves no money.
//! Either wants to be looked at.

use domain::stripe_uuid;
use domain::upcoach::{TransactionStatus, TransactionType};
use events::AlertKind;
use serde::{Deserialize, Serialize};
use serde_json::json;
use webhooks::stripe::{Dispute, DisputeStatus, Event};

use super::books::{Alert, Books};
use super::fold::Outcome;
use super::newest::{Newest, Told, Version};
use super::payment;
use super::transaction::Transaction;
use super::wants::{Occasion, What};

/// What a dispute tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct DisputeTold {
    status: TransactionStatus,
    amount: i64,
    currency: String,
    charge: Option<String>,
    description: Option<String>,
    /// How it ended without money moving.
    reason: Option<String>,
}

impl Told for DisputeTold {}

/// Takes a dispute's event in.
pub(crate) fn take(books: &mut Books, event: &Event<Dispute>) -> Outcome {
    let dispute = &event.object;
    let (intent, charge) =
        (dispute.payment_intent.as_ref().map(|id| id.id().as_str()), dispute.charge_id().map(|id| id.as_str()));
    let original = match payment::original(books, intent, charge, "dispute") {
        Ok(original) => original,
        Err(outcome) => return outcome,
    };
    books.alerts.push(Alert {
        kind: AlertKind::Dispute,
        about: dispute.id.as_str().to_owned(),
        message: format!("Stripe tells of a dispute of a payment ({})", event.event_type),
        details: json!({
            "disputeId": dispute.id.as_str(), "transactionId": original.id, "amount": dispute.amount, "currency": dispute.currency,
        }),
    });
    let (status, reason, rank) = match dispute.status {
        DisputeStatus::WarningNeedsResponse | DisputeStatus::WarningUnderReview | DisputeStatus::WarningClosed => {
            return Outcome::nothing();
        }
        DisputeStatus::NeedsResponse | DisputeStatus::Other => (TransactionStatus::Pending, None, 0),
        DisputeStatus::UnderReview => (TransactionStatus::Pending, None, 1),
        DisputeStatus::Lost => (TransactionStatus::Completed, None, 3),
        DisputeStatus::Won => (TransactionStatus::Failed, Some("won"), 3),
        DisputeStatus::ChargeRefunded => (TransactionStatus::Failed, Some("charge refunded"), 3),
        DisputeStatus::Prevented => (TransactionStatus::Failed, Some("prevented"), 3),
    };
    let known = books.transactions.find(dispute.id.as_str()).cloned();
    let mut row = known.unwrap_or_else(|| Transaction {
        stripe_transaction_id: Some(dispute.id.as_str().to_owned()),
        ..Transaction::new(
            stripe_uuid(dispute.id.as_str()),
            original.user_id,
            TransactionType::Chargeback,
            &dispute.currency,
            dispute.created,
        )
    });
    let told = DisputeTold {
        status,
        amount: dispute.amount,
        currency: dispute.currency.clone(),
        charge: charge.map(str::to_owned),
        description: dispute.reason.clone(),
        reason: reason.map(str::to_owned),
    };
    let occasion = Occasion::from(event);
    Newest::take(&mut row.stripe_facts.dispute, Version::of(occasion, rank), told);
    if row.stripe_facts.dispute.as_ref().is_some_and(Newest::is_undecided) {
        books.want(What::Dispute, dispute.id.as_str(), occasion);
    }
    row.original_id = Some(original.id);
    row.compute_chargeback();
    let id = row.id;
    books.transactions.set(row);
    Outcome::applied([(domain::EntityType::Transaction, id)])
}

impl Transaction {
    fn compute_chargeback(&mut self) {
        let Some(told) = self.stripe_facts.dispute.as_ref().map(|newest| newest.get().clone()) else { return };
        self.status = told.status.as_str().to_owned();
        self.amount = told.amount;
        self.currency = told.currency;
        self.stripe_charge_id = told.charge;
        self.description = told.description;
        self.failure_reason = told.reason;
    }
}
