//! Amounts as the API shows them: decimals in their very digits, as text. In the tables they are in Stripe's units. Pure.

use domain::money::Money;
use serde::Serialize;
use utoipa::ToSchema;

/// Money at stake in one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AtStake {
    /// ISO 4217, in capitals.
    pub currency: String,
    /// A decimal as text, the sum without signs; null where an amount can't be told in this currency's units.
    #[schema(required, example = "1234.50")]
    pub amount: Option<String>,
    /// Transactions that it is the sum of.
    pub count: i64,
}

impl AtStake {
    /// From a sum in Stripe's units.
    pub(crate) fn of(units: i64, currency: &str, count: i64) -> Self {
        Self { currency: currency.to_uppercase(), amount: decimal(units, currency), count }
    }
}

/// A sum in Stripe's units as a decimal.
pub(crate) fn decimal(units: i64, currency: &str) -> Option<String> {
    Money::from_stripe(units, currency).ok().map(Money::to_decimal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_their_currencys_digits() {
        assert_eq!(decimal(1099, "usd").as_deref(), Some("10.99"));
        assert_eq!(decimal(500, "jpy").as_deref(), Some("500"));
        assert_eq!(decimal(1230, "kwd").as_deref(), Some("1.230"));
        assert_eq!(decimal(500, "isk").as_deref(), Some("5"));
        assert_eq!((decimal(501, "isk"), decimal(1, "xyz")), (None, None));
    }
}
