//! A record that was fetched, as the event that would have told of it: so it takes the same path, and is applied once, as any webhook. Pure.

use domain::mapping::{Field, Record, body};
use domain::upcoach::{InvoiceStatus, TransactionStatus};
use domain::{EntityType, instant};
use serde_json::value::RawValue;
use time::OffsetDateTime;

use crate::PULL;

/// The event of a record that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// `pull:<type>:<id>:<updatedAt>`: the same state of a record is the same event, whoever fetches it.
    pub id: String,
    /// The type of the webhook that would have told of it.
    pub event_type: &'static str,
    /// As a webhook's body.
    pub body: Vec<u8>,
    /// When the record changed, on FlashERP's clock.
    pub occurred_at: OffsetDateTime,
}

/// The event of a record as it is at `now`; none for a state of which FlashERP sends no event (a transaction that has not failed, a subscription).
#[must_use]
pub fn pulled(kind: EntityType, record: &Record, now: OffsetDateTime) -> Option<Pulled> {
    let id = format!("{PULL}{kind}:{}:{}", record.id, instant::text(record.updated_at));
    let status = record.text(Field::Status);
    let (event_type, data) = match kind {
        EntityType::Customer => ("customer.updated", whole(record)),
        EntityType::Invoice if status == Some(InvoiceStatus::Paid.as_str()) => ("invoice.paid", whole(record)),
        EntityType::Invoice => ("invoice.updated", whole(record)),
        EntityType::Transaction if status == Some(TransactionStatus::Failed.as_str()) => {
            ("payment.failed", failed(record))
        }
        EntityType::Transaction | EntityType::Subscription | EntityType::FinancialReport => return None,
    };
    let body =
        format!(r#"{{"id":{},"type":"{event_type}","timestamp":"{}","data":{data}}}"#, quoted(&id), instant::text(now));
    Some(Pulled { id, event_type, body: body.into_bytes(), occurred_at: record.updated_at })
}

fn whole(record: &Record) -> String {
    let fields = String::from_utf8(body(&record.fields)).unwrap_or_default();
    // The fields' own braces go: their members stand beside the record's head.
    let fields = fields.trim().strip_prefix('{').and_then(|fields| fields.strip_suffix('}')).unwrap_or_default();
    let separator = if fields.is_empty() { "" } else { "," };
    format!(
        r#"{{"id":{},"createdAt":"{}","updatedAt":"{}"{separator}{fields}}}"#,
        quoted(record.id.as_str()),
        instant::text(record.created_at),
        instant::text(record.updated_at)
    )
}

/// FlashERP keeps no reason in a transaction.
fn failed(record: &Record) -> String {
    let reference = record.reference().map_or_else(|| "null".to_owned(), quoted);
    let (id, at) = (quoted(record.id.as_str()), instant::text(record.updated_at));
    format!(
        r#"{{"id":{id},"transactionId":{id},"upcoachReference":{reference},"failureReason":null,"failedAt":"{at}"}}"#
    )
}

fn quoted(text: &str) -> String {
    serde_json::value::to_raw_value(text).map_or_else(|_| "null".to_owned(), |raw: Box<RawValue>| raw.get().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-24 10:00 UTC);

    fn record(members: &str) -> Record {
        let head = r#""id":"r_1","createdAt":"2026-11-24T08:00:00Z","updatedAt":"2026-11-24T09:30:00.123Z""#;
        Record::parse(&format!("{{{head}{members}}}")).expect("a record")
    }

    fn event(kind: EntityType, members: &str) -> Option<(String, &'static str, Value)> {
        let pulled = pulled(kind, &record(members), NOW)?;
        let body: Value = serde_json::from_slice(&pulled.body).expect("JSON");
        assert_eq!((body["id"].as_str(), body["type"].as_str()), (Some(pulled.id.as_str()), Some(pulled.event_type)));
        Some((pulled.id, pulled.event_type, body["data"].clone()))
    }

    #[test]
    fn a_customer_is_told_whole_under_an_id_of_its_state() {
        let (id, event_type, data) = event(EntityType::Customer, r#","name":"A \"B\"","email":"a@b.c""#).expect("told");
        assert_eq!((id.as_str(), event_type), ("pull:customer:r_1:2026-11-24T09:30:00.123Z", "customer.updated"));
        let expected = json!({"id": "r_1", "createdAt": "2026-11-24T08:00:00.000Z", "updatedAt": "2026-11-24T09:30:00.123Z",
            "name": "A \"B\"", "email": "a@b.c"});
        assert_eq!(data, expected);
    }

    #[test]
    fn a_record_without_fields_is_still_an_event() {
        assert!(event(EntityType::Customer, "").is_some());
    }

    #[test]
    fn an_invoice_that_is_paid_is_told_as_paid_with_its_amount_to_the_digit() {
        let pulled = pulled(EntityType::Invoice, &record(r#","status":"paid","amount":10.90,"currency":"USD""#), NOW);
        let pulled = pulled.expect("told");
        assert_eq!(pulled.event_type, "invoice.paid");
        assert!(String::from_utf8_lossy(&pulled.body).contains(r#""amount":10.90"#));
        assert_eq!(event(EntityType::Invoice, r#","status":"open""#).expect("told").1, "invoice.updated");
    }

    #[test]
    fn of_transactions_only_one_that_failed_is_told_of() {
        assert_eq!(event(EntityType::Transaction, r#","status":"completed""#), None);
        assert_eq!(event(EntityType::Subscription, r#","status":"active""#), None);
        let (_, event_type, data) =
            event(EntityType::Transaction, r#","status":"failed","upcoachReference":"u-1""#).expect("told");
        assert_eq!(event_type, "payment.failed");
        assert_eq!((&data["transactionId"], &data["upcoachReference"]), (&json!("r_1"), &json!("u-1")));
    }
}
