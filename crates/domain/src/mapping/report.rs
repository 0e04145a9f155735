//! A financial report for FlashERP's metrics. It has no id there: FlashERP keeps one per period and currency, the latest.

use super::{Field, FieldValue, Fields, Json, MappingError, metadata};
use crate::{money::Money, upcoach::FinancialReport};

/// All fields of the report. What makes it incomplete is told in metadata.
///
/// # Errors
/// A currency that nothing can be priced in: VALIDATION_ERROR.
pub fn financial_report(report: &FinancialReport) -> Result<Fields, MappingError> {
    let mut fields = Fields::from([
        (Field::Currency, FieldValue::text(report.currency.code())),
        (Field::Period, FieldValue::text(report.period.as_str())),
        (Field::PeriodStart, FieldValue::time(report.period_start)),
        (Field::PeriodEnd, FieldValue::time(report.period_end)),
    ]);
    let amounts = [
        (Field::Revenue, report.revenue),
        (Field::Costs, report.costs),
        (Field::Profit, report.profit),
        (Field::Mrr, report.mrr),
        (Field::Arr, report.arr),
    ];
    for (field, minor) in amounts {
        let money = Money::from_minor(minor, report.currency).map_err(|error| MappingError::money(field, &error))?;
        fields.insert(field, FieldValue::money(money));
    }
    // With the revision, figures that come back have a key of their own, which FlashERP does not take for the earlier write's.
    let revision = (report.revision > 1).then(|| (metadata::REVISION, Json::Text(report.revision.to_string())));
    let incomplete = report.incomplete.clone().map(|why| (metadata::INCOMPLETE, Json::Text(why)));
    metadata::put(&mut fields, [incomplete, revision]);
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mapping::body, upcoach::ReportPeriod};
    use iso_currency::Currency;
    use time::macros::datetime;

    #[test]
    fn a_report_is_in_major_units_and_says_what_it_lacks() {
        let report = FinancialReport {
            currency: Currency::EUR,
            revenue: 123_456,
            costs: 200_000,
            profit: -76_544,
            mrr: 4_900,
            arr: 58_800,
            period: ReportPeriod::Daily,
            period_start: datetime!(2026-11-23 00:00 UTC),
            period_end: datetime!(2026-11-24 00:00 UTC),
            revision: 1,
            incomplete: Some("fees incomplete".to_owned()),
        };
        let json =
            |report| String::from_utf8(body(&financial_report(report).expect("it maps"))).expect("JSON is UTF-8");
        insta::assert_snapshot!(json(&report), @r#"{"currency":"EUR","revenue":1234.56,"costs":2000.00,"profit":-765.44,"mrr":49.00,"arr":588.00,"period":"daily","periodStart":"2026-11-23T00:00:00.000Z","periodEnd":"2026-11-24T00:00:00.000Z","metadata":{"incomplete":"fees incomplete"}}"#);
        let again = json(&FinancialReport { revision: 2, incomplete: None, ..report.clone() });
        assert!(again.ends_with(r#""metadata":{"revision":"2"}}"#), "{again}");
        let odd =
            financial_report(&FinancialReport { currency: Currency::XAU, ..report }).expect_err("gold has no cents");
        assert_eq!((odd.code.as_str(), odd.field), ("VALIDATION_ERROR", Field::Currency));
    }
}
