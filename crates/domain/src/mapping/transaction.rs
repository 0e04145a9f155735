//! A transaction for FlashERP's books.

use super::{
    Field, FieldValue, Fields, Json, MappingError,
    decimal::Decimal,
    metadata,
    shared::{amount, filled, put_amount, put_text, shortened},
};
use crate::{
    ids::FlashErpId,
    upcoach::{Transaction, TransactionStatus, TransactionType},
};

/// FlashERP's limit for a description.
const DESCRIPTION_MAX_CHARS: usize = 500;

/// All fields of the transaction of a customer that FlashERP knows.
///
/// What FlashERP has no word for is told in metadata: chargebacks and payouts are adjustments with `upcoachType`; a partly refunded payment is
/// completed with `refundedAmount` in major units. A refund's amount is positive, as FlashERP wants it.
///
/// # Errors
/// An unknown currency, an amount that is none in it: VALIDATION_ERROR. A partly refunded payment that doesn't say how much went back:
/// MISSING_REQUIRED_FIELD.
pub fn transaction(transaction: &Transaction, customer: &FlashErpId) -> Result<Fields, MappingError> {
    let money = amount(transaction.amount, &transaction.currency)?;
    let (kind, upcoach_type, money) = match transaction.kind {
        TransactionType::Payment => ("payment", None, money),
        TransactionType::Refund => {
            let positive = money.abs().map_err(|error| MappingError::money(Field::Amount, &error))?;
            ("refund", None, positive)
        }
        TransactionType::Adjustment => ("adjustment", None, money),
        TransactionType::Chargeback | TransactionType::Payout => {
            ("adjustment", Some(Json::Text(transaction.kind.to_string())), money)
        }
    };
    let (status, refunded) = match transaction.status {
        TransactionStatus::Pending => ("pending", None),
        TransactionStatus::Completed => ("completed", None),
        TransactionStatus::Failed => ("failed", None),
        TransactionStatus::Refunded => ("refunded", None),
        TransactionStatus::PartiallyRefunded => ("completed", Some(refunded_amount(transaction)?)),
    };

    let mut fields = Fields::from([
        (Field::CustomerId, FieldValue::text(customer.as_str())),
        (Field::Status, FieldValue::text(status)),
        (Field::Type, FieldValue::text(kind)),
        (Field::UpcoachReference, FieldValue::text(transaction.id.to_string())),
    ]);
    put_amount(&mut fields, money);
    put_text(&mut fields, Field::PaymentMethod, transaction.payment_method.as_deref());
    if let Some(description) = filled(transaction.description.as_deref()) {
        fields.insert(Field::Description, FieldValue::text(shortened(description, DESCRIPTION_MAX_CHARS)));
    }
    put_text(&mut fields, Field::StripeTransactionId, transaction.stripe_transaction_id.as_deref());
    metadata::put(
        &mut fields,
        [
            upcoach_type.map(|kind| (metadata::UPCOACH_TYPE, kind)),
            refunded.map(|amount| (metadata::REFUNDED_AMOUNT, amount)),
        ],
    );
    Ok(fields)
}

fn refunded_amount(transaction: &Transaction) -> Result<Json, MappingError> {
    let units = transaction.refunded_amount.ok_or_else(|| {
        MappingError::missing(Field::Metadata, "the payment is partly refunded, but not by how much (refunded_amount)")
    })?;
    let text = amount(units, &transaction.currency)?.to_decimal();
    let number = Decimal::new(text).map_err(|error| MappingError::invalid(Field::Metadata, error.to_string()))?;
    Ok(Json::Number(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mapping::body, upcoach::samples};
    use rstest::rstest;

    fn map(change: impl FnOnce(&mut Transaction)) -> Result<Fields, MappingError> {
        let mut sample = samples::transaction();
        change(&mut sample);
        transaction(&sample, &samples::flasherp_customer())
    }

    fn json(fields: &Fields) -> String {
        String::from_utf8(body(fields)).expect("JSON is UTF-8")
    }

    fn text(fields: &Fields, field: Field) -> Option<&str> {
        fields.get(&field)?.as_text()
    }

    fn metadata(fields: &Fields) -> Option<String> {
        match fields.get(&Field::Metadata)? {
            FieldValue::Object(members) => Some(Json::Object(members.clone()).to_string()),
            other => Some(format!("{other:?}")),
        }
    }

    #[test]
    fn a_payment_is_booked_with_its_exact_amount() {
        insta::assert_snapshot!(json(&map(|_| {}).expect("it maps")), @r#"{"customerId":"cust_1","upcoachReference":"0189d7c2-0f4b-7a31-9c55-6d2f6f0f7d22","amount":10.99,"currency":"USD","status":"completed","type":"payment","paymentMethod":"card","description":"Pro, November","stripeTransactionId":"pi_1"}"#);
    }

    #[rstest]
    #[case(TransactionStatus::Pending, "pending", None)]
    #[case(TransactionStatus::Completed, "completed", None)]
    #[case(TransactionStatus::Failed, "failed", None)]
    #[case(TransactionStatus::Refunded, "refunded", None)]
    #[case(TransactionStatus::PartiallyRefunded, "completed", Some(r#"{"refundedAmount":5.00}"#))]
    fn every_status_has_its_word(#[case] status: TransactionStatus, #[case] word: &str, #[case] note: Option<&str>) {
        let fields = map(|t| (t.status, t.refunded_amount) = (status, Some(500))).expect("it maps");
        assert_eq!(text(&fields, Field::Status), Some(word));
        assert_eq!(metadata(&fields).as_deref(), note);
    }

    #[rstest]
    #[case(TransactionType::Payment, "payment", None)]
    #[case(TransactionType::Refund, "refund", None)]
    #[case(TransactionType::Adjustment, "adjustment", None)]
    #[case(TransactionType::Chargeback, "adjustment", Some(r#"{"upcoachType":"chargeback"}"#))]
    #[case(TransactionType::Payout, "adjustment", Some(r#"{"upcoachType":"payout"}"#))]
    fn every_type_has_its_word(#[case] kind: TransactionType, #[case] word: &str, #[case] note: Option<&str>) {
        let fields = map(|t| t.kind = kind).expect("it maps");
        assert_eq!(text(&fields, Field::Type), Some(word));
        assert_eq!(metadata(&fields).as_deref(), note);
    }

    #[test]
    fn a_refund_is_positive_and_an_adjustment_keeps_its_sign() {
        let amount = |kind, amount| {
            let fields = map(|t| (t.kind, t.amount) = (kind, amount)).expect("it maps");
            json(&Fields::from([(Field::Amount, fields[&Field::Amount].clone())]))
        };
        assert_eq!(amount(TransactionType::Refund, -1099), r#"{"amount":10.99}"#);
        assert_eq!(amount(TransactionType::Refund, 1099), r#"{"amount":10.99}"#);
        assert_eq!(amount(TransactionType::Adjustment, -5), r#"{"amount":-0.05}"#);
    }

    #[rstest]
    #[case(50, "isk", "VALIDATION_ERROR", Field::Amount)]
    #[case(50, "xyz", "VALIDATION_ERROR", Field::Currency)]
    #[case(50, "xau", "VALIDATION_ERROR", Field::Currency)]
    fn what_is_no_money_is_not_sent(
        #[case] amount: i64,
        #[case] currency: &str,
        #[case] code: &str,
        #[case] field: Field,
    ) {
        let error = map(|t| (t.amount, t.currency) = (amount, currency.to_owned())).expect_err("it must not map");
        assert_eq!((error.code.as_str(), error.field), (code, field));
    }

    #[test]
    fn a_partial_refund_without_an_amount_is_missing_it() {
        let error = map(|t| t.status = TransactionStatus::PartiallyRefunded).expect_err("it must not map");
        assert_eq!(error.code.as_str(), "MISSING_REQUIRED_FIELD");
    }

    #[test]
    fn a_long_description_is_cut_and_blanks_are_not_sent() {
        let long = map(|t| t.description = Some("ü".repeat(501))).expect("it maps");
        assert_eq!(text(&long, Field::Description).map(|text| text.chars().count()), Some(500));
        let blank = map(|t| (t.description, t.payment_method) = (Some(" ".to_owned()), None)).expect("it maps");
        assert!(!blank.contains_key(&Field::Description) && !blank.contains_key(&Field::PaymentMethod));
    }
}
