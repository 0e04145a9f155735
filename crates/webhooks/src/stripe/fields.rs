//! Readers of single fields that several objects share.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// A currency as Stripe writes it: three lower-case ASCII letters. Whether there is such a currency is for the money type to say.
pub(super) fn currency<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let currency = String::deserialize(deserializer)?;
    if currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_lowercase()) {
        Ok(currency)
    } else {
        Err(serde::de::Error::custom("a currency is three lower-case letters"))
    }
}

/// Metadata; null is as good as none.
pub(super) fn metadata<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Text of which null and the empty string both say that there is none.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()))
}
