//! Amounts of money: whole minor units of ISO 4217 and a currency. No binary floating point anywhere.
//!
//! Two borders have units of their own: Stripe's (which `upcoach` holds, see [`stripe`](Money::from_stripe)) and FlashERP's, a decimal with
//! exactly ISO's digits (see [`Money::to_decimal`]). Both conversions are exact or refused.

mod decimal;
mod stripe;

use iso_currency::Currency;

/// An amount in minor units of its currency (cents, yen, fils).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

/// Why something is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a three-letter code of ISO 4217.
    #[error("{0:?} is not a currency of ISO 4217")]
    UnknownCurrency(String),
    /// ISO 4217 gives this currency no minor unit (gold, testing), so that nothing is priced in it.
    #[error("{0} has no minor unit, so it cannot price anything")]
    NoMinorUnit(&'static str),
    /// The units given are no whole number of ISO's minor units.
    #[error("{units} of Stripe's units are no whole amount of {currency}")]
    DoesNotDivide {
        /// What was given.
        units: i64,
        /// Its currency.
        currency: &'static str,
    },
    /// More than an i64 of minor units.
    #[error("the amount is out of range for {currency}")]
    OutOfRange {
        /// Its currency.
        currency: &'static str,
    },
    /// A number with more digits than the currency has.
    #[error("{text:?} has more than the {digits} digits of {currency}")]
    TooManyDigits {
        /// What was read.
        text: String,
        /// What the currency has.
        digits: u32,
        /// The currency.
        currency: &'static str,
    },
    /// Not a plain decimal number.
    #[error("{0:?} is not a plain decimal number")]
    NotANumber(String),
}

/// A currency by its code, in either case, if something can be priced in it.
///
/// # Errors
/// [`MoneyError::UnknownCurrency`], [`MoneyError::NoMinorUnit`].
pub fn currency(code: &str) -> Result<Currency, MoneyError> {
    let currency =
        Currency::from_code(&code.to_ascii_uppercase()).ok_or_else(|| MoneyError::UnknownCurrency(code.to_owned()))?;
    match currency.exponent() {
        Some(_) => Ok(currency),
        None => Err(MoneyError::NoMinorUnit(currency.code())),
    }
}

impl Money {
    /// From ISO's minor units.
    ///
    /// # Errors
    /// [`MoneyError::NoMinorUnit`].
    pub fn from_minor(minor: i64, currency: Currency) -> Result<Self, MoneyError> {
        match currency.exponent() {
            Some(_) => Ok(Self { minor, currency }),
            None => Err(MoneyError::NoMinorUnit(currency.code())),
        }
    }

    /// Whole minor units of ISO 4217.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The currency's upper-case code.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.currency.code()
    }

    /// The same amount without its sign.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] for the one amount whose opposite does not exist.
    pub fn abs(self) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_abs().ok_or(MoneyError::OutOfRange { currency: self.code() })?;
        Ok(Self { minor, ..self })
    }

    /// The amount with the other sign.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] for the one amount whose opposite does not exist.
    pub fn opposite(self) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_neg().ok_or(MoneyError::OutOfRange { currency: self.code() })?;
        Ok(Self { minor, ..self })
    }

    fn digits(self) -> u32 {
        iso_digits(self.currency)
    }
}

/// ISO's digits of a currency that has been let through.
fn iso_digits(currency: Currency) -> u32 {
    currency.exponent().map_or(0, u32::from)
}
