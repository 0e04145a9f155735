//! Stripe's customer: UpCoach's user as Stripe knows them.

use std::collections::BTreeMap;

use serde::Deserialize;
use time::OffsetDateTime;

use super::expandable::Identified;
use super::fields;
use super::ids::CustomerId;

/// A customer. A deleted one has its id and `deleted` alone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Customer {
    /// `cus_...`
    pub id: CustomerId,
    /// E-mail address as entered; null and empty are `None`.
    #[serde(default, deserialize_with = "fields::text")]
    pub email: Option<String>,
    /// Name as entered; null and empty are `None`.
    #[serde(default, deserialize_with = "fields::text")]
    pub name: Option<String>,
    /// What UpCoach put there, `upcoachUserId` among it.
    #[serde(default, deserialize_with = "fields::metadata")]
    pub metadata: BTreeMap<String, String>,
    /// When the customer was made; `None` on a deleted one.
    #[serde(default, with = "time::serde::timestamp::option")]
    pub created: Option<OffsetDateTime>,
    /// True on what is left of a deleted customer.
    #[serde(default)]
    pub deleted: bool,
}

impl Identified for Customer {
    type Id = CustomerId;

    fn id(&self) -> &CustomerId {
        &self.id
    }
}
