//! What several mappings need: amounts, references, and texts that fit.

use super::{Field, FieldValue, Fields, MappingError};
use crate::money::Money;

/// Adds amount and currency.
pub(super) fn put_amount(fields: &mut Fields, amount: Money) {
    fields.insert(Field::Amount, FieldValue::money(amount));
    fields.insert(Field::Currency, FieldValue::text(amount.code()));
}

/// The amount of a record, from Stripe's units.
pub(super) fn amount(units: i64, currency: &str) -> Result<Money, MappingError> {
    Money::from_stripe(units, currency).map_err(|error| MappingError::money(Field::Amount, &error))
}

/// Adds a text unless it is blank.
pub(super) fn put_text(fields: &mut Fields, field: Field, text: Option<&str>) {
    if let Some(text) = filled(text) {
        fields.insert(field, FieldValue::text(text));
    }
}

/// The text without space around it; none when nothing is left.
pub(super) fn filled(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// Cuts a text that only people read to what FlashERP takes: money is not held up by a long description.
pub(super) fn shortened(text: &str, max_chars: usize) -> String {
    if text.chars().count() <= max_chars {
        return text.to_owned();
    }
    let kept: String = text.chars().take(max_chars.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}
