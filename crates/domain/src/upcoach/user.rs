//! `upcoach.users`: who pays. FlashERP calls them customers.

use time::OffsetDateTime;

use crate::ids::UserId;

/// A row of `upcoach.users`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id, FlashERP's `upcoachReference`.
    pub id: UserId,
    /// Where they are written to.
    pub email: Option<String>,
    /// What they are called.
    pub name: Option<String>,
    /// `cus_...`, the main one.
    pub stripe_customer_id: Option<String>,
    /// When UpCoach first knew them.
    pub created_at: OffsetDateTime,
    /// When the row last changed.
    pub updated_at: OffsetDateTime,
}
