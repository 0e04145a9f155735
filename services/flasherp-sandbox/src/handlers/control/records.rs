//! The records as they are, and changes to them behind the client's back.

use std::sync::PoisonError;

use actix_web::{
    HttpResponse,
    web::{Bytes, BytesMut, Data, Path},
};

use crate::{
    api, handlers::errors::not_found, misbehaviour::json_response, sandbox::Sandbox, schema::Resource, store::RecordId,
};

/// So many records are copied before the lock is given to others.
const STRIDE: usize = 5_000;

/// `GET /control/records/{type}`: `{"data": [...]}` with every record, in the order of (createdAt, id).
pub(crate) async fn dump(sandbox: Data<Sandbox>, of: Path<String>) -> HttpResponse {
    let Some(of) = Resource::from_path(&of) else { return unknown_type() };
    let mut records: Vec<Bytes> = Vec::new();
    let mut last = None;
    loop {
        let store = sandbox.store.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = 0;
        for (id, record) in store.of(of).after(last).take(STRIDE) {
            records.push(record.body.clone());
            last = Some(id);
            seen += 1;
        }
        if seen < STRIDE {
            break;
        }
    }
    let mut body = BytesMut::with_capacity(records.iter().map(|record| record.len() + 1).sum::<usize>() + 16);
    body.extend_from_slice(b"{\"data\":[");
    for (nth, record) in records.iter().enumerate() {
        if nth > 0 {
            body.extend_from_slice(b",");
        }
        body.extend_from_slice(record);
    }
    body.extend_from_slice(b"]}");
    HttpResponse::Ok().content_type("application/json").body(body.freeze())
}

/// `POST /control/records/{type}`: a record that is born inside FlashERP.
pub(crate) async fn create(sandbox: Data<Sandbox>, of: Path<String>, body: Bytes) -> HttpResponse {
    let Some(of) = Resource::from_path(&of) else { return unknown_type() };
    json_response(&api::create(&sandbox, of, &body))
}

/// `PUT /control/records/{type}/{id}`: changes a record by FlashERP's rules, with no credentials, faults or counting.
pub(crate) async fn edit(sandbox: Data<Sandbox>, path: Path<(String, String)>, body: Bytes) -> HttpResponse {
    let (of, id) = path.into_inner();
    let Some(of) = Resource::from_path(&of) else { return unknown_type() };
    json_response(&api::edit(&sandbox, of, &id, &body))
}

/// `DELETE /control/records/{type}/{id}`: takes a record away, as nobody can through FlashERP's API.
pub(crate) async fn remove(sandbox: Data<Sandbox>, path: Path<(String, String)>) -> HttpResponse {
    let (of, id) = path.into_inner();
    let Some(of) = Resource::from_path(&of) else { return unknown_type() };
    let mut store = sandbox.store.lock().unwrap_or_else(PoisonError::into_inner);
    match RecordId::parse(of, &id).and_then(|id| store.remove(of, id)) {
        Some(_) => HttpResponse::NoContent().finish(),
        None => not_found("no record has this id"),
    }
}

fn unknown_type() -> HttpResponse {
    not_found("there are customers, transactions, subscriptions, invoices and metrics")
}
