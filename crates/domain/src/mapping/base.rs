//! What both sides last agreed on, per field: the value we sent and the value FlashERP answered (it may trim, or change case). Kept as
//! `base_payload` beside the sync row and written in the transaction that finishes the sync.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    diff::{Leftover, agrees},
    field::Field,
    record::Record,
    value::{FieldValue, Fields},
};

/// A field's value as sent and as answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchanged {
    /// What we sent; null when we cleared it.
    pub sent: FieldValue,
    /// What FlashERP made of it; null when it told nothing.
    pub answered: FieldValue,
}

/// Per field that we sent, what was sent and answered. A field that we did not send never enters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, Exchanged>", into = "BTreeMap<Field, Exchanged>")]
pub struct Base(BTreeMap<Field, Exchanged>);

impl Base {
    /// Whether nothing was ever sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was sent and answered for a field.
    #[must_use]
    pub fn get(&self, field: Field) -> Option<&Exchanged> {
        self.0.get(&field)
    }

    /// With what `before` says of these fields, also where that is nothing.
    #[must_use]
    pub fn keeping(mut self, fields: &[Field], before: &Self) -> Self {
        for field in fields {
            match before.get(*field) {
                Some(exchanged) => self.0.insert(*field, exchanged.clone()),
                None => self.0.remove(field),
            };
        }
        self
    }

    /// All fields.
    pub fn iter(&self) -> impl Iterator<Item = (Field, &Exchanged)> {
        self.0.iter().map(|(field, exchanged)| (*field, exchanged))
    }

    /// The base after FlashERP accepted a write of these fields. Without a record (a 204) it is taken at its word: answered as sent.
    #[must_use]
    pub fn after_write(mut self, sent: &Fields, answer: Option<&Record>) -> Self {
        for (field, value) in sent {
            let answered = match answer {
                Some(record) => record.get(*field).cloned().unwrap_or(FieldValue::Null),
                None => value.clone(),
            };
            self.0.insert(*field, Exchanged { sent: value.clone(), answered });
        }
        self
    }

    /// The base of a record that was just read, in place of whatever was believed before: of a record that we may have written (an unknown
    /// outcome) or that is taken over. What it holds as wanted counts as sent; what it holds otherwise stands as it is held, so that [`diff`]
    /// finds the same difference as [`diff_against_record`](super::diff_against_record) should the write that follows fail.
    #[must_use]
    pub fn found(wanted: &Fields, record: &Record, leftover: Leftover) -> Self {
        let ours = wanted.iter().filter_map(|(field, value)| {
            let held = record.get(*field)?.clone();
            let sent = if agrees(*field, Some(value), Some(&held)) { value.clone() } else { held.clone() };
            Some((*field, Exchanged { sent, answered: held }))
        });
        let to_be_cleared = record
            .fields
            .iter()
            .filter(|(field, _)| leftover == Leftover::Clear && field.clearable() && !wanted.contains_key(field));
        let left =
            to_be_cleared.map(|(field, held)| (*field, Exchanged { sent: held.clone(), answered: held.clone() }));
        Self(ours.chain(left).collect())
    }
}

impl From<BTreeMap<String, Exchanged>> for Base {
    /// Skips fields of a newer version: they are sent again, which costs a PUT and loses nothing.
    fn from(stored: BTreeMap<String, Exchanged>) -> Self {
        Self(stored.into_iter().filter_map(|(name, exchanged)| Some((name.parse().ok()?, exchanged))).collect())
    }
}

impl From<Base> for BTreeMap<Field, Exchanged> {
    fn from(base: Base) -> Self {
        base.0
    }
}
