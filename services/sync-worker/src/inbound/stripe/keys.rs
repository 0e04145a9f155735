//! Wait keys: what a parked event waits for, as text, such as `stripe_customer:cus_123`.

use uuid::Uuid;

/// Of which one has to appear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WaitKeys {
    pub(crate) first: String,
    pub(crate) other: Option<String>,
}

impl From<String> for WaitKeys {
    fn from(first: String) -> Self {
        Self { first, other: None }
    }
}

/// A user of UpCoach's that an event names in its metadata.
pub(crate) fn user(id: Uuid) -> String {
    format!("user:{id}")
}

/// The user of a Stripe customer.
pub(crate) fn customer(stripe_id: &str) -> String {
    format!("stripe_customer:{stripe_id}")
}

/// The transaction of a payment intent or charge.
pub(crate) fn payment(stripe_id: &str) -> String {
    format!("payment:{stripe_id}")
}

/// One more refund of a charge than the `known` ones.
pub(crate) fn more_refunds_than(charge: &str, known: usize) -> String {
    format!("refund_of:{charge}:{known}")
}

/// Whoever tells whose payment it is that names nobody: an invoice, in the end.
pub(crate) fn payer_of(stripe_id: &str) -> String {
    format!("payer_of:{stripe_id}")
}

/// A subscription.
pub(crate) fn subscription(stripe_id: &str) -> String {
    format!("subscription:{stripe_id}")
}

/// An invoice.
pub(crate) fn invoice(stripe_id: &str) -> String {
    format!("invoice:{stripe_id}")
}

/// An attempt to send a record to FlashERP that is open, or of unknown outcome.
pub(crate) fn sync(id: Uuid) -> String {
    format!("sync:{id}")
}

/// A record of FlashERP's that is to be fetched as it is now.
pub(crate) fn pull(kind: domain::EntityType, target: &str) -> String {
    format!("pull:{kind}:{target}")
}

/// The user of a customer of FlashERP's.
pub(crate) fn flasherp_customer(target: &str) -> String {
    format!("flasherp_customer:{target}")
}

/// The transaction of one of FlashERP's.
pub(crate) fn flasherp_transaction(target: &str) -> String {
    format!("flasherp_transaction:{target}")
}

/// A transaction of UpCoach's.
pub(crate) fn transaction(id: Uuid) -> String {
    format!("transaction:{id}")
}
