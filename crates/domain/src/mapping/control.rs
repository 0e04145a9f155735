//! What a record counts for in control totals (design section 7): its amount, signed by type. Made from the fields as FlashERP has them, so that
//! both sides are counted by the same rule.

use super::{Field, FieldValue, Fields, Json, metadata};
use crate::EntityType;
use crate::money::{Money, MoneyError};

/// What a record counts for, in minor units of its currency. None for a type that is not counted (customers, subscriptions).
///
/// Payments count up, refunds down, an adjustment as its amount says; a chargeback or payout, which FlashERP has as an adjustment, takes money away.
/// An invoice counts what it is over.
#[must_use]
pub fn control_amount(kind: EntityType, fields: &Fields) -> Option<Result<Money, MoneyError>> {
    let takes_away = match kind {
        EntityType::Invoice => false,
        EntityType::Transaction => takes_away(fields),
        EntityType::Customer | EntityType::Subscription | EntityType::FinancialReport => return None,
    };
    let amount = match (fields.get(&Field::Amount), fields.get(&Field::Currency).and_then(FieldValue::as_text)) {
        (Some(FieldValue::Decimal(number)), Some(currency)) => Money::from_decimal(number.as_str(), currency),
        (Some(FieldValue::Raw(text)), _) => Err(MoneyError::NotANumber(text.clone())),
        _ => Err(MoneyError::NotANumber(String::new())),
    };
    Some(if takes_away { amount.and_then(Money::opposite) } else { amount })
}

fn takes_away(fields: &Fields) -> bool {
    let text = |field| fields.get(&field).and_then(FieldValue::as_text);
    let upcoach_type = metadata::ours(fields.get(&Field::Metadata)).get(metadata::UPCOACH_TYPE).copied();
    match text(Field::Type) {
        Some("refund") => true,
        Some("adjustment") => {
            matches!(upcoach_type, Some(Json::Text(kind)) if kind == "chargeback" || kind == "payout")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Record;
    use rstest::rstest;

    fn counted(kind: EntityType, fields: &str) -> Option<Result<i64, String>> {
        let json =
            format!(r#"{{"id":"1","createdAt":"2026-11-24T09:30:00Z","updatedAt":"2026-11-24T09:30:00Z",{fields}}}"#);
        let record = Record::parse(&json).expect("a record");
        control_amount(kind, &record.fields).map(|money| money.map(Money::minor).map_err(|error| error.to_string()))
    }

    #[rstest]
    #[case(r#""type":"payment""#, 1099)]
    #[case(r#""type":"refund""#, -1099)]
    #[case(r#""type":"adjustment""#, 1099)]
    #[case(r#""type":"adjustment","metadata":{"upcoachType":"chargeback"}"#, -1099)]
    #[case(r#""type":"adjustment","metadata":{"upcoachType":"payout"}"#, -1099)]
    #[case(r#""type":"payment","metadata":{"upcoachType":"chargeback"}"#, 1099)]
    fn a_transaction_counts_by_its_type(#[case] kind: &str, #[case] minor: i64) {
        let fields = format!(r#""amount":10.99,"currency":"EUR",{kind}"#);
        assert_eq!(counted(EntityType::Transaction, &fields), Some(Ok(minor)));
    }

    #[test]
    fn what_is_no_amount_is_told_and_what_has_none_is_not_counted() {
        assert!(counted(EntityType::Invoice, r#""amount":"10","currency":"EUR""#).is_some_and(|money| money.is_err()));
        assert!(counted(EntityType::Invoice, r#""currency":"EUR""#).is_some_and(|money| money.is_err()));
        assert_eq!(counted(EntityType::Invoice, r#""amount":5,"currency":"JPY""#), Some(Ok(5)));
        assert_eq!(counted(EntityType::Subscription, r#""amount":5,"currency":"JPY""#), None);
    }
}
