//! FlashERP's webhooks: how they are sent, single ones on demand, held ones released.

use std::sync::PoisonError;

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{Data, Json},
};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{
    handlers::errors::{not_found, refused},
    sandbox::Sandbox,
    schema::Resource,
    store::RecordId,
    webhooks::{EventType, NewSettings, Order},
};

const COPIES_MAX: u32 = 100;

/// One event to be sent: about a record, or with any data.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Send {
    #[serde(rename = "type")]
    event_type: EventType,
    record: Option<String>,
    data: Option<Box<RawValue>>,
    failure_reason: Option<String>,
    #[serde(default = "one")]
    copies: u32,
    #[serde(default)]
    delay_ms: u64,
}

fn one() -> u32 {
    1
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Release {
    #[serde(default)]
    order: Order,
}

/// `GET /control/webhooks`: settings, what waits, what happened.
pub(crate) async fn view(sandbox: Data<Sandbox>) -> HttpResponse {
    HttpResponse::Ok().json(sandbox.webhooks.view())
}

/// `PUT /control/webhooks` `{"tells": "all"}`: how webhooks are sent from now on.
pub(crate) async fn set(sandbox: Data<Sandbox>, Json(new): Json<NewSettings>) -> HttpResponse {
    match sandbox.webhooks.set(new) {
        Ok(()) => view(sandbox).await,
        Err(problem) => refused(StatusCode::BAD_REQUEST, problem),
    }
}

/// `POST /control/webhooks/send` `{"type": "invoice.paid", "record": "fin_..."}`: 202 with the event's id.
pub(crate) async fn send(sandbox: Data<Sandbox>, Json(send): Json<Send>) -> HttpResponse {
    if !(1..=COPIES_MAX).contains(&send.copies) {
        return refused(StatusCode::BAD_REQUEST, "copies must be from 1 to 100");
    }
    let data = match (&send.data, &send.record) {
        (Some(data), None) => data.get().to_owned(),
        (None, Some(id)) => match about(&sandbox, &send, id) {
            Some(data) => data,
            None => return not_found("no record that this type of event is about has this id"),
        },
        _ => return refused(StatusCode::BAD_REQUEST, "give either record or data"),
    };
    let id = sandbox.webhooks.send(send.event_type, &data, send.copies, send.delay_ms);
    HttpResponse::Accepted().json(json!({ "id": id }))
}

/// `data` of an event about a record as it is now.
fn about(sandbox: &Sandbox, send: &Send, id: &str) -> Option<String> {
    let resource = match send.event_type {
        EventType::InvoiceCreated | EventType::InvoiceUpdated | EventType::InvoicePaid => Resource::Invoices,
        EventType::PaymentFailed => Resource::Transactions,
        EventType::CustomerUpdated => Resource::Customers,
        EventType::SyncCompleted => return None,
    };
    let record_id = RecordId::parse(resource, id)?;
    let record = sandbox.store.lock().unwrap_or_else(PoisonError::into_inner).of(resource).get(record_id).cloned()?;
    if send.event_type != EventType::PaymentFailed {
        return Some(String::from_utf8_lossy(&record.body).into_owned());
    }
    let fields = record.fields(resource);
    let reference = fields.text(resource, "upcoachReference").unwrap_or_default();
    let reason = send.failure_reason.as_deref().unwrap_or("card_declined");
    Some(sandbox.webhooks.payment_failed(id, &reference, reason))
}

/// `POST /control/webhooks/release` `{"order": "shuffled"}`: held events get their turn.
pub(crate) async fn release(sandbox: Data<Sandbox>, Json(release): Json<Release>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "released": sandbox.webhooks.release(release.order) }))
}

/// `DELETE /control/webhooks/waiting`: forgets what waits or is held.
pub(crate) async fn drop_waiting(sandbox: Data<Sandbox>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "dropped": sandbox.webhooks.drop_all() }))
}
