//! Objects as they are now, and the refunds of a charge.

use serde_json::value::RawValue;

use crate::list::{LIMIT, Page};
use crate::{Client, StripeError};

/// What can be read by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectKind {
    Customer,
    PaymentIntent,
    /// With its balance transaction, which tells fee and net.
    Charge,
    Refund,
    Dispute,
    Invoice,
    Subscription,
}

impl ObjectKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Customer,
        Self::PaymentIntent,
        Self::Charge,
        Self::Refund,
        Self::Dispute,
        Self::Invoice,
        Self::Subscription,
    ];

    /// Stripe's own name of it, the object's `object`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::PaymentIntent => "payment_intent",
            Self::Charge => "charge",
            Self::Refund => "refund",
            Self::Dispute => "dispute",
            Self::Invoice => "invoice",
            Self::Subscription => "subscription",
        }
    }

    /// Where they are kept.
    const fn collection(self) -> &'static str {
        match self {
            Self::Customer => "customers",
            Self::PaymentIntent => "payment_intents",
            Self::Charge => "charges",
            Self::Refund => "refunds",
            Self::Dispute => "disputes",
            Self::Invoice => "invoices",
            Self::Subscription => "subscriptions",
        }
    }

    const fn expanded(self) -> Option<&'static str> {
        match self {
            Self::Charge => Some("balance_transaction"),
            Self::Customer
            | Self::PaymentIntent
            | Self::Refund
            | Self::Dispute
            | Self::Invoice
            | Self::Subscription => None,
        }
    }
}

impl Client {
    /// An object as it is now; none if Stripe says that there is none.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn object(&self, kind: ObjectKind, id: &str) -> Result<Option<Box<RawValue>>, StripeError> {
        let query: Vec<(&str, String)> =
            kind.expanded().map(|path| ("expand[]", path.to_owned())).into_iter().collect();
        let read = |body: &[u8]| serde_json::from_slice(body).map_err(|_| StripeError::Unreadable("no object"));
        match self.get("get_object", &[kind.collection(), id], &query, read).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.says_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A page of a charge's refunds, newest first.
    ///
    /// # Errors
    /// [`StripeError`].
    pub async fn refunds(&self, charge: &str, starting_after: Option<&str>) -> Result<Page, StripeError> {
        let mut query = vec![("charge", charge.to_owned()), ("limit", LIMIT.to_string())];
        query.extend(starting_after.map(|id| ("starting_after", id.to_owned())));
        self.get("list_refunds", &["refunds"], &query, Page::read).await
    }
}
