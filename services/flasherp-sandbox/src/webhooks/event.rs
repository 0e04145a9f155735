//! An event's text: `{id, type, timestamp, data}`.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::schema::render_instant;

/// The contract's types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventType {
    /// `invoice.created`
    #[serde(rename = "invoice.created")]
    InvoiceCreated,
    /// `invoice.updated`
    #[serde(rename = "invoice.updated")]
    InvoiceUpdated,
    /// `invoice.paid`
    #[serde(rename = "invoice.paid")]
    InvoicePaid,
    /// `payment.failed`
    #[serde(rename = "payment.failed")]
    PaymentFailed,
    /// `customer.updated`
    #[serde(rename = "customer.updated")]
    CustomerUpdated,
    /// `sync.completed`
    #[serde(rename = "sync.completed")]
    SyncCompleted,
}

/// An event's id: the same in every try and every copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub String);

impl EventId {
    /// A new one.
    pub fn new() -> Self {
        Self(format!("fev_{}", Uuid::new_v4().simple()))
    }
}

impl Default for EventId {
    fn default() -> Self {
        Self::new()
    }
}

impl EventType {
    /// Its name in the contract.
    pub const fn name(self) -> &'static str {
        match self {
            EventType::InvoiceCreated => "invoice.created",
            EventType::InvoiceUpdated => "invoice.updated",
            EventType::InvoicePaid => "invoice.paid",
            EventType::PaymentFailed => "payment.failed",
            EventType::CustomerUpdated => "customer.updated",
            EventType::SyncCompleted => "sync.completed",
        }
    }
}

/// The text of an event. `data` is JSON and goes in byte for byte, so that amounts keep their digits.
pub(super) fn render(id: &EventId, event_type: EventType, at_ms: i64, data: &str) -> Bytes {
    let (id, at) = (serde_json::Value::from(id.0.as_str()), render_instant(at_ms));
    format!(r#"{{"id":{id},"type":"{}","timestamp":"{at}","data":{data}}}"#, event_type.name()).into()
}

/// `data` of `payment.failed`.
pub(super) fn payment_failed(transaction: &str, reference: &str, reason: &str, at_ms: i64) -> String {
    serde_json::json!({
        "id": format!("fpy_{}", Uuid::new_v4().simple()),
        "transactionId": transaction,
        "upcoachReference": reference,
        "failureReason": reason,
        "failedAt": render_instant(at_ms),
    })
    .to_string()
}
