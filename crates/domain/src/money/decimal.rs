//! FlashERP's form of an amount: a decimal number in major units with exactly the digits that ISO 4217 gives the currency. Always text here: a
//! number that never becomes binary can't lose a cent.

use super::{Money, MoneyError, currency};

impl Money {
    /// `10.99`, `500`, `1.230`, `-0.05`: exactly ISO's digits.
    #[must_use]
    pub fn to_decimal(self) -> String {
        let digits = self.digits();
        let sign = if self.minor < 0 { "-" } else { "" };
        let units = self.minor.unsigned_abs();
        let scale = 10_u64.pow(digits);
        if digits == 0 {
            format!("{sign}{units}")
        } else {
            let width = digits as usize;
            format!("{sign}{}.{:0width$}", units / scale, units % scale)
        }
    }

    /// Reads a number's text: at most the currency's digits, fewer are as good (`10.5` is 10.50).
    ///
    /// # Errors
    /// An unknown currency, more digits than it has (also zeros: the sender counts in something else), no plain decimal (exponents, signs
    /// other than a leading minus), out of range.
    pub fn from_decimal(text: &str, code: &str) -> Result<Self, MoneyError> {
        let currency = currency(code)?;
        let digits = super::iso_digits(currency);
        let not_a_number = || MoneyError::NotANumber(text.to_owned());
        let out_of_range = || MoneyError::OutOfRange { currency: currency.code() };

        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return Err(not_a_number()),
            None => (unsigned, ""),
        };
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return Err(not_a_number());
        }
        let missing = u32::try_from(fraction.len())
            .ok()
            .and_then(|given| digits.checked_sub(given))
            .ok_or_else(|| MoneyError::TooManyDigits { text: text.to_owned(), digits, currency: currency.code() })?;

        let mut minor: i64 = 0;
        for digit in whole.bytes().chain(fraction.bytes()).map(|byte| i64::from(byte - b'0')) {
            let signed = if negative { -digit } else { digit };
            minor = minor.checked_mul(10).and_then(|shifted| shifted.checked_add(signed)).ok_or_else(out_of_range)?;
        }
        let minor = minor.checked_mul(10_i64.pow(missing)).ok_or_else(out_of_range)?;
        Ok(Self { minor, currency })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iso_currency::{Currency, IntoEnumIterator};
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("10.99", "USD", 1099)]
    #[case("10.5", "usd", 1050)]
    #[case("10", "USD", 1000)]
    #[case("-0.05", "EUR", -5)]
    #[case("500", "JPY", 500)]
    #[case("1.230", "KWD", 1230)]
    #[case("007", "USD", 700)]
    #[case("92233720368547758.07", "USD", i64::MAX)]
    #[case("-92233720368547758.08", "USD", i64::MIN)]
    fn a_plain_decimal_is_read_exactly(#[case] text: &str, #[case] code: &str, #[case] minor: i64) {
        assert_eq!(Money::from_decimal(text, code).map(Money::minor), Ok(minor));
    }

    #[rstest]
    #[case("10.990", "USD", "\"10.990\" has more than the 2 digits of USD")]
    #[case("500.0", "JPY", "\"500.0\" has more than the 0 digits of JPY")]
    #[case("1e2", "USD", "\"1e2\" is not a plain decimal number")]
    #[case("+1", "USD", "\"+1\" is not a plain decimal number")]
    #[case("1.", "USD", "\"1.\" is not a plain decimal number")]
    #[case(".5", "USD", "\".5\" is not a plain decimal number")]
    #[case("-", "USD", "\"-\" is not a plain decimal number")]
    #[case("", "USD", "\"\" is not a plain decimal number")]
    #[case("1.-5", "USD", "\"1.-5\" is not a plain decimal number")]
    #[case("٣", "USD", "\"٣\" is not a plain decimal number")]
    #[case("92233720368547758.08", "USD", "the amount is out of range for USD")]
    #[case("1", "ZZZ", "\"ZZZ\" is not a currency of ISO 4217")]
    fn anything_else_is_refused(#[case] text: &str, #[case] code: &str, #[case] message: &str) {
        assert_eq!(Money::from_decimal(text, code).map_err(|e| e.to_string()), Err(message.to_owned()));
    }

    proptest! {
        #[test]
        fn every_amount_of_every_currency_is_written_with_isos_digits_and_read_back(minor in any::<i64>()) {
            for currency in Currency::iter() {
                let Some(digits) = currency.exponent() else { continue };
                let money = Money::from_minor(minor, currency).expect("it has a minor unit");
                let text = money.to_decimal();
                let fraction = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
                prop_assert_eq!(fraction, usize::from(digits));
                prop_assert_eq!(Money::from_decimal(&text, currency.code()), Ok(money));
            }
        }
    }
}
