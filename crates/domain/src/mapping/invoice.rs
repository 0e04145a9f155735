//! An invoice for FlashERP's books.

use super::{
    Field, FieldValue, Fields, Json, MappingError, metadata,
    shared::{amount, put_amount},
};
use crate::{ids::FlashErpId, upcoach::Invoice};

/// All fields of the invoice of a customer that FlashERP knows. Without a due date it is due on its own date; the transaction that it bills
/// is named in `metadata.upcoachTransactionId`.
///
/// # Errors
/// An unknown currency, an amount that is none in it: VALIDATION_ERROR.
pub fn invoice(invoice: &Invoice, customer: &FlashErpId) -> Result<Fields, MappingError> {
    let money = amount(invoice.amount, &invoice.currency)?;
    let mut fields = Fields::from([
        (Field::CustomerId, FieldValue::text(customer.as_str())),
        (Field::DueDate, FieldValue::time(invoice.due_date.unwrap_or(invoice.created_at))),
        (Field::Status, FieldValue::text(invoice.status.as_str())),
        (Field::UpcoachReference, FieldValue::text(invoice.id.to_string())),
    ]);
    put_amount(&mut fields, money);
    if let Some(at) = invoice.paid_at {
        fields.insert(Field::PaidAt, FieldValue::time(at));
    }
    let bills = invoice.transaction_id.map(|id| (metadata::UPCOACH_TRANSACTION_ID, Json::Text(id.to_string())));
    metadata::put(&mut fields, [bills]);
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mapping::body, upcoach::samples};
    use time::macros::datetime;

    #[test]
    fn an_invoice_names_the_transaction_it_bills_and_is_due_on_its_own_date_when_it_has_no_other() {
        let fields = invoice(&samples::invoice(), &samples::flasherp_customer()).expect("it maps");
        let json = String::from_utf8(body(&fields)).expect("JSON is UTF-8");
        insta::assert_snapshot!(json, @r#"{"customerId":"cust_1","upcoachReference":"0189d7c2-0f4b-7a31-9c55-6d2f6f0f7d44","amount":1.230,"currency":"KWD","status":"paid","dueDate":"2026-11-20T10:00:00.000Z","paidAt":"2026-11-24T09:30:00.000Z","metadata":{"upcoachTransactionId":"0189d7c2-0f4b-7a31-9c55-6d2f6f0f7d22"}}"#);
    }

    #[test]
    fn a_due_date_of_its_own_is_told() {
        let due = datetime!(2026-12-24 00:00 UTC);
        let sample = Invoice { due_date: Some(due), transaction_id: None, paid_at: None, ..samples::invoice() };
        let fields = invoice(&sample, &samples::flasherp_customer()).expect("it maps");
        assert_eq!(fields.get(&Field::DueDate), Some(&FieldValue::Time(due)));
        assert!(!fields.contains_key(&Field::Metadata) && !fields.contains_key(&Field::PaidAt));
    }
}
