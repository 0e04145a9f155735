//! Metadata is one field that FlashERP replaces whole, and it is not ours alone: finance may keep notes there. We compare only our own keys, and
//! write them over what is known to be there.

use std::collections::BTreeMap;

use super::{
    json::Json,
    value::{FieldValue, Fields},
};
use crate::mapping::Field;

/// How much of a payment went back, in major units.
pub(super) const REFUNDED_AMOUNT: &str = "refundedAmount";
/// UpCoach's type, where FlashERP has none for it.
pub(super) const UPCOACH_TYPE: &str = "upcoachType";
/// When a trial ends.
pub(super) const TRIAL_ENDS_AT: &str = "trialEndsAt";
/// Whether a subscription is held.
pub(super) const PAUSED: &str = "paused";
/// The transaction that an invoice bills.
pub(super) const UPCOACH_TRANSACTION_ID: &str = "upcoachTransactionId";
/// Why a report is not whole.
pub(super) const INCOMPLETE: &str = "incomplete";

/// Which of the reports of a period and currency it is, from the second on.
pub(super) const REVISION: &str = "revision";

const OURS: [&str; 7] =
    [REFUNDED_AMOUNT, UPCOACH_TYPE, TRIAL_ENDS_AT, PAUSED, UPCOACH_TRANSACTION_ID, INCOMPLETE, REVISION];

/// Adds our keys as metadata; nothing when there are none.
pub(super) fn put<const N: usize>(fields: &mut Fields, members: [Option<(&str, Json)>; N]) {
    let members: BTreeMap<String, Json> =
        members.into_iter().flatten().map(|(key, value)| (key.to_owned(), value)).collect();
    if !members.is_empty() {
        fields.insert(Field::Metadata, FieldValue::Object(members));
    }
}

/// Our keys of a metadata value.
pub(super) fn ours(value: Option<&FieldValue>) -> BTreeMap<&str, &Json> {
    match value {
        Some(FieldValue::Object(members)) => {
            members.iter().map(|(key, value)| (key.as_str(), value)).filter(|(key, _)| OURS.contains(key)).collect()
        }
        _ => BTreeMap::new(),
    }
}

/// What to write: the wanted keys, and beside them what others keep there. Null when nothing is left.
pub(super) fn overlay(wanted: Option<&FieldValue>, known: Option<&FieldValue>) -> FieldValue {
    let mut members = BTreeMap::new();
    if let Some(FieldValue::Object(known)) = known {
        members.extend(known.iter().filter(|(key, _)| !OURS.contains(&key.as_str())));
    }
    if let Some(FieldValue::Object(wanted)) = wanted {
        members.extend(wanted);
    }
    if members.is_empty() {
        return FieldValue::Null;
    }
    FieldValue::Object(members.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect())
}
