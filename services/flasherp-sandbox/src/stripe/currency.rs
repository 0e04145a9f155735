//! Amounts in Stripe's units, which are not always ISO 4217's: see Stripe's page on currencies (zero-decimal, three-decimal and special
//! cases).

use rand::{Rng, rngs::StdRng};

/// A currency that stories may use, as Stripe spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StripeCurrency(&'static str);

/// This is no currency that stories know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not among the currencies of stories: {list}", list = StripeCurrency::list())]
pub struct UnknownCurrency(String);

const TWO_DECIMALS: &[&str] = &["usd", "eur", "gbp", "chf", "aud", "cad", "sek", "pln"];
/// MGA among them, which has digits in ISO 4217 and none at Stripe.
const NO_DECIMALS: &[&str] = &["jpy", "krw", "vnd", "clp", "xaf", "mga"];
/// The last digit is always 0.
const THREE_DECIMALS: &[&str] = &["kwd", "bhd", "jod", "omr", "tnd"];
/// Without decimals, and yet told in hundredths: always a multiple of 100.
const NO_DECIMALS_IN_HUNDREDTHS: &[&str] = &["isk", "ugx"];

impl StripeCurrency {
    /// One of each way with decimals, and some twos.
    pub const USUAL: &'static [StripeCurrency] =
        &[Self("usd"), Self("eur"), Self("gbp"), Self("jpy"), Self("kwd"), Self("isk")];

    /// Every currency that stories know.
    pub fn all() -> impl Iterator<Item = Self> {
        [TWO_DECIMALS, NO_DECIMALS, THREE_DECIMALS, NO_DECIMALS_IN_HUNDREDTHS].into_iter().flatten().copied().map(Self)
    }

    fn list() -> String {
        Self::all().map(Self::code).collect::<Vec<_>>().join(", ")
    }

    /// The currency of that code, in either case.
    pub fn from_code(code: &str) -> Result<Self, UnknownCurrency> {
        Self::all().find(|known| known.0.eq_ignore_ascii_case(code)).ok_or_else(|| UnknownCurrency(code.into()))
    }

    /// The code in lower case.
    pub const fn code(self) -> &'static str {
        self.0
    }

    /// Amounts of it are multiples of this.
    pub fn step(self) -> i64 {
        match self.0 {
            code if THREE_DECIMALS.contains(&code) => 10,
            code if NO_DECIMALS_IN_HUNDREDTHS.contains(&code) => 100,
            _ => 1,
        }
    }

    /// An amount of some 5 to 500 major units of a two-decimal currency, in Stripe's units of this one.
    pub(super) fn draw_amount(self, random: &mut StdRng) -> i64 {
        random.random_range(500..=50_000) * self.step()
    }

    /// What Stripe keeps of a payment: 2.9 % and a fixed part, in whole steps.
    pub(super) fn fee(self, amount: i64) -> i64 {
        let step = self.step();
        (amount / step * 29 / 1000 + 30) * step
    }

    /// What a dispute costs.
    pub(super) fn dispute_fee(self) -> i64 {
        1500 * self.step()
    }

    /// A part of an amount, in whole steps.
    pub(super) fn part(self, amount: i64, of_hundred: i64) -> i64 {
        let step = self.step();
        amount / step * of_hundred / 100 * step
    }
}
