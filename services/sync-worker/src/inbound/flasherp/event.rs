//! FlashERP's events, from their stored bodies.

use domain::mapping::Record;
use domain::{EntityType, FlashErpId};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;
use webhooks::PULL;

/// An event.
#[derive(Debug)]
pub(crate) struct FlasherpEvent {
    pub(crate) id: String,
    pub(crate) what: What,
}

/// What it tells.
#[derive(Debug)]
pub(crate) enum What {
    /// A customer or an invoice, as FlashERP held it then.
    Record { kind: EntityType, paid: bool, record: Box<Record> },
    /// A payment failed.
    PaymentFailed(PaymentFailed),
    /// FlashERP ended a bulk job on our records.
    BulkJob(BulkJob),
    /// Nothing is done for its type.
    Other,
}

/// `payment.failed`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PaymentFailed {
    /// FlashERP's id of the transaction.
    #[serde(default)]
    pub(crate) transaction_id: Option<FlashErpId>,
    /// Ours.
    #[serde(default)]
    pub(crate) upcoach_reference: Option<String>,
    #[serde(default)]
    pub(crate) failure_reason: Option<String>,
}

/// `sync.completed`
#[derive(Debug, Deserialize)]
pub(crate) struct BulkJob {
    /// success, partial, failed.
    pub(crate) status: String,
}

impl FlasherpEvent {
    /// Whether we fetched the record ourselves.
    pub(crate) fn is_pulled(&self) -> bool {
        self.id.starts_with(PULL)
    }

    /// Reads a stored body.
    ///
    /// # Errors
    /// What is wrong with it, without values.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Raw<'a> {
            id: String,
            #[serde(rename = "type")]
            event_type: String,
            #[serde(borrow)]
            data: &'a RawValue,
        }
        let raw: Raw<'_> =
            serde_json::from_slice(body).map_err(|_| "no event: it has no id, type or data".to_owned())?;
        let data = raw.data.get();
        let record = |kind, paid| {
            let record = Record::parse(data).map_err(|error| format!("data: {error}"))?;
            Ok::<_, String>(What::Record { kind, paid, record: Box::new(record) })
        };
        let what = match raw.event_type.as_str() {
            "invoice.created" | "invoice.updated" => record(EntityType::Invoice, false)?,
            "invoice.paid" => record(EntityType::Invoice, true)?,
            "customer.updated" => record(EntityType::Customer, false)?,
            "payment.failed" => What::PaymentFailed(
                serde_json::from_str(data).map_err(|_| "data: not that of a failed payment".to_owned())?,
            ),
            "sync.completed" => {
                What::BulkJob(serde_json::from_str(data).map_err(|_| "data: not that of a bulk job".to_owned())?)
            }
            _ => What::Other,
        };
        Ok(Self { id: raw.id, what })
    }
}

/// Our id of a record, if the reference is one.
pub(crate) fn reference(text: Option<&str>) -> Option<Uuid> {
    text?.parse().ok()
}
