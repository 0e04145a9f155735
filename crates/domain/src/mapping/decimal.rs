//! A number as its text. Equal by value, so that FlashERP may answer 10.990 to 10.99; written as it was given; never binary.

use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

/// A JSON number, kept as its text.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Decimal(String);

/// Not a JSON number, or one whose exponent nobody could mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal number")]
pub struct InvalidDecimal;

/// Sign, digits without zeros at either end, and the power of ten of the last digit: one form for each value.
#[derive(PartialEq, Eq, Hash)]
struct Canonical {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    /// Takes over a number's text by JSON's grammar.
    ///
    /// # Errors
    /// Any other text.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidDecimal> {
        let text = text.into();
        match canonical(&text) {
            Some(_) => Ok(Self(text)),
            None => Err(InvalidDecimal),
        }
    }

    /// The text as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn canonical(text: &str) -> Option<Canonical> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    if whole.is_empty() || leading_zero || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut exponent = exponent - i64::try_from(fraction.len()).ok()?;
    while digits.last() == Some(&b'0') {
        digits.pop();
        exponent += 1;
    }
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    digits.drain(..zeros);
    if digits.is_empty() {
        return Some(Canonical { negative: false, digits, exponent: 0 });
    }
    Some(Canonical { negative, digits, exponent })
}

fn exponent_of(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plausible = !digits.is_empty() && digits.len() <= 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plausible { text.parse().ok() } else { None }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || canonical(&self.0) == canonical(&other.0)
    }
}

impl Eq for Decimal {}

impl Hash for Decimal {
    /// By value, as it is compared.
    fn hash<H: Hasher>(&self, state: &mut H) {
        canonical(&self.0).hash(state);
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Decimal {
    type Error = InvalidDecimal;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

impl From<Decimal> for String {
    fn from(number: Decimal) -> Self {
        number.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn decimal(text: &str) -> Decimal {
        Decimal::new(text).expect("a number")
    }

    #[rstest]
    #[case("10.990", "10.99", true)]
    #[case("10", "10.00", true)]
    #[case("1e1", "10", true)]
    #[case("1.5E+3", "1500", true)]
    #[case("15e-1", "1.5", true)]
    #[case("-0.00", "0", true)]
    #[case("0e5", "0", true)]
    #[case("-1", "1", false)]
    #[case("10.99", "10.991", false)]
    #[case("100", "10", false)]
    #[case("0.1", "0.10000000000000000000000000000001", false)]
    #[case("9007199254740993", "9007199254740992", false)]
    fn numbers_are_equal_by_value(#[case] a: &str, #[case] b: &str, #[case] equal: bool) {
        assert_eq!(decimal(a) == decimal(b), equal);
        assert_eq!(decimal(b) == decimal(a), equal);
        assert_eq!(decimal(a).as_str(), a);
    }

    #[rstest]
    fn what_is_no_number_in_json_is_refused(
        #[values(
            "",
            "-",
            "01",
            "+1",
            ".5",
            "1.",
            "1e",
            "1e9999999",
            "NaN",
            "1,5",
            " 1",
            "0x1",
            "1e+-2",
            "1.2.3"
        )]
        text: &str,
    ) {
        assert!(Decimal::new(text).is_err());
    }

    proptest! {
        #[test]
        fn zeros_behind_the_point_change_nothing(units in any::<i64>(), zeros in 1_usize..20) {
            let padded = format!("{units}.{}", "0".repeat(zeros));
            prop_assert_eq!(decimal(&padded), decimal(&units.to_string()));
        }

        #[test]
        fn different_amounts_are_different(a in any::<i64>(), b in any::<i64>(), scale in 0_i32..9) {
            let at = |units: i64| decimal(&format!("{units}e-{scale}"));
            prop_assert_eq!(at(a) == at(b), a == b);
        }
    }
}
