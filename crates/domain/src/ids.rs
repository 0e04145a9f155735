//! Ids as types, so that swapping two does not compile, and the ids that are computed rather than drawn.
//!
//! Computed ids are the same in every process and after every restore: a sync's from what it syncs, a Stripe-born row's from the Stripe object.
//! Their namespaces and their input never change; tests hold the values.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::{Uuid, uuid};

use crate::kinds::{EntityType, SourceSystem};

/// Namespace of [`SyncId::of`].
const SYNC_NAMESPACE: Uuid = uuid!("6f0b6c1e-5d0a-4c55-9f0e-1d2b7c3a9e41");
/// Namespace of [`stripe_uuid`].
const STRIPE_NAMESPACE: Uuid = uuid!("b1d4e7a2-93c8-4f16-8a57-2c60e9f5d38b");

/// Namespace of [`flasherp_uuid`].
const FLASHERP_NAMESPACE: Uuid = uuid!("0c7f5b1e-64d2-4c0b-9a83-7e21f4b6d590");

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident,)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The bare UUID, for storage and the wire.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

uuid_ids! {
    /// A row of `sync.erp_syncs`.
    SyncId,
    /// A row of `upcoach.users`.
    UserId,
    /// A row of `upcoach.transactions`.
    TransactionId,
    /// A row of `upcoach.subscriptions`.
    SubscriptionId,
    /// A row of `upcoach.invoices`.
    InvoiceId,
    /// A row of `sync.batches`.
    BatchId,
    /// A row of `ingress.webhook_events`.
    EventRowId,
    /// One request's way through all parts (`X-Request-Id`).
    RequestId,
}

impl SyncId {
    /// The id of the sync of a record: always the same for the same record.
    #[must_use]
    pub fn of(system: SourceSystem, entity: EntityType, id: Uuid) -> Self {
        let name = format!("{system}:{entity}:{}", id.as_hyphenated());
        Self(Uuid::new_v5(&SYNC_NAMESPACE, name.as_bytes()))
    }

    /// The idempotency key of this sync's create. A new `generation` is a new record on purpose, any other repeat is the same one.
    #[must_use]
    pub fn create_key(self, generation: u32) -> String {
        format!("create:{self}:{generation}")
    }
}

/// The id of a row born of a Stripe object, from the object's id (a payment's `pi_...`; `ch_...` only where there is no payment intent), so that
/// a row rebuilt after a restore has the id it had.
#[must_use]
pub fn stripe_uuid(stripe_id: &str) -> Uuid {
    Uuid::new_v5(&STRIPE_NAMESPACE, stripe_id.as_bytes())
}

/// The id of a row born of a record of FlashERP's, from the record's id, so that a row rebuilt after a restore has the id it had.
#[must_use]
pub fn flasherp_uuid(entity: EntityType, id: &FlashErpId) -> Uuid {
    Uuid::new_v5(&FLASHERP_NAMESPACE, format!("{entity}:{id}").as_bytes())
}

/// FlashERP's id of a record: opaque, 1 to 64 characters. What could not be a segment of a path (control characters, `.`, `..`) is refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FlashErpId(String);

/// A text that cannot be an id of FlashERP's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a FlashERP id has 1 to 64 characters, none of them a control character, and is not a dot or two")]
pub struct InvalidFlashErpId;

impl FlashErpId {
    /// FlashERP's promise: at most 64 characters.
    pub const MAX_CHARS: usize = 64;

    /// Takes the text over if it can be an id.
    ///
    /// # Errors
    /// Empty, longer than 64 characters, control characters, `.` or `..`.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidFlashErpId> {
        let text = text.into();
        let fits = !text.is_empty() && text.chars().count() <= Self::MAX_CHARS;
        if fits && !text.chars().any(char::is_control) && text != "." && text != ".." {
            Ok(Self(text))
        } else {
            Err(InvalidFlashErpId)
        }
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FlashErpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for FlashErpId {
    type Err = InvalidFlashErpId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl TryFrom<String> for FlashErpId {
    type Error = InvalidFlashErpId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

impl From<FlashErpId> for String {
    fn from(id: FlashErpId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const RECORD: Uuid = uuid!("0189d7c2-0f4b-7a31-9c55-6d2f6f0f7d11");

    #[test]
    fn computed_ids_never_change() {
        let of = |system, entity| SyncId::of(system, entity, RECORD).to_string();
        insta::assert_snapshot!(of(SourceSystem::Upcoach, EntityType::Transaction), @"28b4ce8d-9290-5c48-9447-79160fd721a4");
        insta::assert_snapshot!(of(SourceSystem::Upcoach, EntityType::Customer), @"e3ef6184-4541-54af-b910-314a4c0bfbc0");
        insta::assert_snapshot!(of(SourceSystem::Flasherp, EntityType::FinancialReport), @"19e3eda4-c053-5138-8416-735651b65066");
        insta::assert_snapshot!(stripe_uuid("pi_3NvWYv2eZvKYlo2C0kXrAEb3"), @"d2f41863-1edd-573f-b46a-24e857060a3a");
        insta::assert_snapshot!(stripe_uuid("cus_OjV1KzbkV8fkzE"), @"634ac2bb-6827-5f82-b03d-0ed2f3931e0a");
        let invoice = FlashErpId::new("inv_000001").expect("an id");
        insta::assert_snapshot!(flasherp_uuid(EntityType::Invoice, &invoice), @"386a525f-65e7-5fb3-995b-cb5b20617c0d");
    }

    #[test]
    fn a_sync_has_another_id_for_another_system_type_or_record() {
        let mut seen = std::collections::BTreeSet::new();
        for system in SourceSystem::ALL {
            for entity in EntityType::ALL {
                seen.insert(SyncId::of(*system, *entity, RECORD));
                seen.insert(SyncId::of(*system, *entity, Uuid::nil()));
            }
        }
        assert_eq!(seen.len(), 20);
    }

    #[test]
    fn the_create_key_names_sync_and_generation_and_fits_flasherps_limit() {
        let key = SyncId(RECORD).create_key(u32::MAX);
        assert_eq!(key, "create:0189d7c2-0f4b-7a31-9c55-6d2f6f0f7d11:4294967295");
        assert!(key.len() <= 255);
    }

    #[test]
    fn an_id_is_its_bare_uuid_in_json() {
        let json = serde_json::to_string(&UserId(RECORD)).expect("an id serialises");
        assert_eq!(json, format!("\"{RECORD}\""));
        assert_eq!(serde_json::from_str::<UserId>(&json).expect("and comes back"), UserId(RECORD));
        assert_eq!(RECORD.to_string().parse::<UserId>().ok(), Some(UserId(RECORD)));
    }

    #[rstest]
    #[case("txn_1", true)]
    #[case("a/b?c#d %20 ü", true)]
    #[case(&"ü".repeat(64), true)]
    #[case(&"x".repeat(65), false)]
    #[case("", false)]
    #[case("..", false)]
    #[case(".", false)]
    #[case("a\nb", false)]
    fn a_flasherp_id_is_checked(#[case] text: &str, #[case] valid: bool) {
        assert_eq!(FlashErpId::new(text).is_ok(), valid);
        let json = serde_json::to_string(text).expect("a text serialises");
        assert_eq!(serde_json::from_str::<FlashErpId>(&json).is_ok(), valid);
    }
}
