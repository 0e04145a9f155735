//! Stripe's units, in which `upcoach` holds amounts. Stripe counts in ISO's minor units but for three currencies
//! (<https://docs.stripe.com/currencies#minor-units>): ISK and UGX have no decimals and yet are given times 100, MGA has two and is given without.
//! Three-decimal currencies (KWD, BHD, JOD, OMR, TND) are given in thousandths, as ISO counts them.

use iso_currency::Currency;

use super::{Money, MoneyError, currency, iso_digits};

/// How many decimals Stripe's unit has.
fn stripe_digits(currency: Currency) -> u32 {
    match currency {
        Currency::ISK | Currency::UGX => 2,
        Currency::MGA => 0,
        other => iso_digits(other),
    }
}

impl Money {
    /// From Stripe's units and a currency code in either case: 1099 usd is 10.99, 500 jpy is 500, 500 isk is 5.
    ///
    /// # Errors
    /// An unknown currency, an amount that is no whole number of ISO's minor units, out of range.
    pub fn from_stripe(units: i64, code: &str) -> Result<Self, MoneyError> {
        let currency = currency(code)?;
        let (theirs, isos) = (stripe_digits(currency), iso_digits(currency));
        let minor = if theirs >= isos {
            let divisor = 10_i64.pow(theirs - isos);
            if units % divisor != 0 {
                return Err(MoneyError::DoesNotDivide { units, currency: currency.code() });
            }
            units / divisor
        } else {
            units.checked_mul(10_i64.pow(isos - theirs)).ok_or(MoneyError::OutOfRange { currency: currency.code() })?
        };
        Ok(Self { minor, currency })
    }

    /// In Stripe's units.
    ///
    /// # Errors
    /// An amount that is no whole number of Stripe's units (ariary with iraimbilanja), out of range.
    pub fn to_stripe(self) -> Result<i64, MoneyError> {
        let (theirs, isos) = (stripe_digits(self.currency), iso_digits(self.currency));
        if theirs >= isos {
            self.minor.checked_mul(10_i64.pow(theirs - isos)).ok_or(MoneyError::OutOfRange { currency: self.code() })
        } else {
            let divisor = 10_i64.pow(isos - theirs);
            if self.minor % divisor != 0 {
                return Err(MoneyError::DoesNotDivide { units: self.minor, currency: self.code() });
            }
            Ok(self.minor / divisor)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iso_currency::IntoEnumIterator;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case(1099, "usd", "10.99")]
    #[case(500, "JPY", "500")]
    #[case(1230, "kwd", "1.230")]
    #[case(500, "isk", "5")]
    #[case(500, "ugx", "5")]
    #[case(500, "mga", "500.00")]
    #[case(-5, "eur", "-0.05")]
    #[case(0, "usd", "0.00")]
    fn stripes_units_become_isos(#[case] units: i64, #[case] code: &str, #[case] decimal: &str) {
        let money = Money::from_stripe(units, code).expect("a whole amount");
        assert_eq!(money.to_decimal(), decimal);
        assert_eq!(money.to_stripe(), Ok(units));
    }

    #[rstest]
    #[case(550, "isk", "550 of Stripe's units are no whole amount of ISK")]
    #[case(1, "ugx", "1 of Stripe's units are no whole amount of UGX")]
    #[case(i64::MAX, "mga", "the amount is out of range for MGA")]
    #[case(1, "xau", "XAU has no minor unit, so it cannot price anything")]
    #[case(1, "usdt", "\"usdt\" is not a currency of ISO 4217")]
    #[case(1, "", "\"\" is not a currency of ISO 4217")]
    fn what_does_not_divide_or_is_no_money_is_refused(#[case] units: i64, #[case] code: &str, #[case] message: &str) {
        assert_eq!(Money::from_stripe(units, code).map_err(|e| e.to_string()), Err(message.to_owned()));
    }

    #[test]
    fn every_currency_but_three_has_the_same_unit_at_stripe_and_iso() {
        let different: Vec<&str> = Currency::iter()
            .filter(|currency| currency.exponent().is_some())
            .filter(|currency| stripe_digits(*currency) != iso_digits(*currency))
            .map(|currency| currency.code())
            .collect();
        assert_eq!(different, ["ISK", "MGA", "UGX"]);
    }

    #[test]
    fn the_currencies_without_two_digits_are_isos() {
        let unusual: Vec<String> = Currency::iter()
            .filter_map(|currency| {
                currency.exponent().filter(|digits| *digits != 2).map(|digits| format!("{}{digits}", currency.code()))
            })
            .collect();
        insta::assert_snapshot!(unusual.join(" "), @"BHD3 BIF0 CLF4 CLP0 DJF0 GNF0 IQD3 ISK0 JOD3 JPY0 KMF0 KRW0 KWD3 LYD3 OMR3 PYG0 RWF0 TND3 UGX0 UYI0 UYW4 VND0 VUV0 XAF0 XOF0 XPF0");
    }

    proptest! {
        #[test]
        fn every_amount_of_every_currency_comes_back_from_stripes_units(minor in -90_000_000_000_000_000_i64..90_000_000_000_000_000) {
            for currency in Currency::iter().filter(|currency| currency.exponent().is_some()) {
                let money = Money::from_minor(minor, currency).expect("it has a minor unit");
                match money.to_stripe() {
                    Ok(units) => prop_assert_eq!(Money::from_stripe(units, currency.code()), Ok(money)),
                    Err(error) => {
                        prop_assert!(currency == Currency::MGA && minor % 100 != 0, "{}", error);
                    }
                }
            }
        }
    }
}
