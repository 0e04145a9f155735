//! Amounts: the text of a JSON number, in major units, with the currency's ISO 4217 digits. Never a float: `0.1` has no exact binary form.

use iso_currency::Currency;

/// An accepted amount.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Amount {
    /// The amount in minor units of ISO 4217.
    pub(super) minor: i64,
    /// The number as FlashERP writes it: exactly the currency's digits.
    pub(super) json: String,
}

/// Reads a JSON number. Fewer digits than the currency has are the same number and are filled up; more, or an exponent, are refused.
pub(super) fn accept(json: &str, currency: Currency) -> Result<Amount, String> {
    let code = currency.code();
    let digits = usize::from(currency.exponent().ok_or_else(|| format!("{code} has no minor units"))?);
    if json.contains(['e', 'E']) {
        return Err("must be written without an exponent".into());
    }
    let (sign, magnitude) = json.strip_prefix('-').map_or(("", json), |rest| ("-", rest));
    let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, ""));
    if fraction.len() > digits {
        return Err(format!("must have at most {digits} decimal(s): {code} has {digits}"));
    }
    let fraction = format!("{fraction:0<digits$}");
    let minor: i64 = format!("{sign}{whole}{fraction}").parse().map_err(|_| "is out of range".to_owned())?;
    let sign = if minor == 0 { "" } else { sign };
    let json = if digits == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") };
    Ok(Amount { minor, json })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_exactly_the_digits_of_its_currency() {
        for (given, currency, minor, kept) in [
            ("19.99", Currency::USD, 1999, "19.99"),
            ("20", Currency::USD, 2000, "20.00"),
            ("500", Currency::JPY, 500, "500"),
            ("1.234", Currency::KWD, 1234, "1.234"),
            ("-0.1", Currency::EUR, -10, "-0.10"),
            ("-0", Currency::EUR, 0, "0.00"),
            ("92233720368547758.07", Currency::USD, i64::MAX, "92233720368547758.07"),
        ] {
            assert_eq!(accept(given, currency), Ok(Amount { minor, json: kept.into() }), "{given}");
        }
    }

    #[test]
    fn more_digits_exponents_and_overflow_are_refused() {
        for (given, currency) in [
            ("10.999", Currency::USD),
            ("19.990000000000002", Currency::USD),
            ("500.0", Currency::JPY),
            ("1e3", Currency::USD),
            ("92233720368547758.08", Currency::USD),
        ] {
            assert!(accept(given, currency).is_err(), "{given}");
        }
    }
}
