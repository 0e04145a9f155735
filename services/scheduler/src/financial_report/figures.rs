//! From sums in Stripe's units to a report in ISO's minor units. Pure.

use domain::money::{Money, MoneyError};
use time::Date;

use super::sums::Sums;

/// Months of a year.
const MONTHS: i64 = 12;

/// The figures of a day in a currency, minor units of ISO 4217.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) day: Date,
    pub(super) currency: String,
    pub(super) revenue: i64,
    pub(super) costs: i64,
    pub(super) mrr: i64,
    pub(super) arr: i64,
    pub(super) fees_incomplete: bool,
}

impl Report {
    /// # Errors
    /// A currency that nothing can be priced in, or a sum that is no whole number of its minor units.
    pub(super) fn of(sums: &Sums) -> Result<Self, MoneyError> {
        let minor = |units| Money::from_stripe(units, &sums.currency).map(Money::minor);
        let arr = minor(sums.yearly)?;
        Ok(Self {
            day: sums.day,
            currency: sums.currency.clone(),
            revenue: minor(sums.revenue)?,
            costs: minor(sums.costs)?,
            mrr: monthly(arr),
            arr,
            fees_incomplete: sums.fees_incomplete,
        })
    }
}

/// A twelfth, rounded half up: once for all subscriptions, so that their rounding does not add up.
const fn monthly(arr: i64) -> i64 {
    (arr + MONTHS / 2).div_euclid(MONTHS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;
    use time::macros::date;

    fn sums(currency: &str, revenue: i64, yearly: i64) -> Sums {
        Sums {
            day: date!(2026 - 11 - 23),
            currency: currency.to_owned(),
            revenue,
            costs: 0,
            yearly,
            fees_incomplete: false,
        }
    }

    #[rstest]
    #[case("USD", 1099, 1200, (1099, 100, 1200))]
    // 500 ISK of Stripe's are 5 of ISO's
    #[case("ISK", 500, 2400, (5, 2, 24))]
    #[case("JPY", 500, 18, (500, 2, 18))]
    #[case("USD", -50, 17, (-50, 1, 17))]
    fn figures_are_in_isos_minor_units(
        #[case] currency: &str,
        #[case] revenue: i64,
        #[case] yearly: i64,
        #[case] expected: (i64, i64, i64),
    ) {
        let report = Report::of(&sums(currency, revenue, yearly)).expect("a report");
        assert_eq!((report.revenue, report.mrr, report.arr), expected);
    }

    #[test]
    fn a_sum_that_is_no_whole_number_of_minor_units_is_refused() {
        assert!(Report::of(&sums("ISK", 550, 0)).is_err());
        assert!(Report::of(&sums("XAU", 1, 0)).is_err());
    }

    proptest! {
        #[test]
        fn a_month_is_the_nearest_to_a_twelfth_of_the_year(arr in 0_i64..1_000_000_000_000) {
            let mrr = monthly(arr);
            prop_assert!((mrr * MONTHS - arr).abs() * 2 <= MONTHS, "{arr} {mrr}");
        }
    }
}
