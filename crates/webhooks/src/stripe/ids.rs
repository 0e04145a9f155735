//! Stripe's ids, a type for each, so that swapping two does not compile.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::envelope::MAX_ID_CHARS;

macro_rules! stripe_ids {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The id as Stripe writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The id as Stripe writes it.
            #[must_use]
            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                checked(String::deserialize(deserializer)?).map(Self).map_err(serde::de::Error::custom)
            }
        }
    )+};
}

stripe_ids! {
    /// Of an event, `evt_...`.
    EventId
    /// Of a customer, `cus_...`.
    CustomerId
    /// Of a payment intent, `pi_...`.
    PaymentIntentId
    /// Of a charge, `ch_...` or `py_...`.
    ChargeId
    /// Of an invoice, `in_...`.
    InvoiceId
    /// Of a subscription, `sub_...`.
    SubscriptionId
    /// Of a refund, `re_...` or `pyr_...`.
    RefundId
    /// Of a dispute, `dp_...` or `du_...`.
    DisputeId
    /// Of a balance transaction, `txn_...`.
    BalanceTransactionId
}

/// An id is 1 to 255 characters; Stripe says no more of it than that.
fn checked(id: String) -> Result<String, &'static str> {
    match id.chars().take(MAX_ID_CHARS + 1).count() {
        0 => Err("an id is empty"),
        n if n > MAX_ID_CHARS => Err("an id is longer than 255 characters"),
        _ => Ok(id),
    }
}
