//! What happened since the start or the last reset, and whether anything is there twice.

use std::{collections::BTreeMap, sync::PoisonError};

use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use serde_json::json;

use crate::{pace::BUCKET_MS, sandbox::Sandbox, schema::Resource};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Counted {
    calls: BTreeMap<String, u64>,
    answers: BTreeMap<u16, u64>,
    cuts: u64,
    in_flight: InFlight,
    pending_writes: u64,
    faults: BTreeMap<&'static str, u64>,
    stripe_calls: BTreeMap<String, u64>,
    idempotent_replays: u64,
    idempotency_keys: usize,
    records: BTreeMap<&'static str, usize>,
    duplicates: BTreeMap<&'static str, usize>,
}

#[derive(Serialize)]
struct InFlight {
    now: u64,
    max: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Doubled {
    upcoach_reference: String,
    ids: Vec<String>,
}

/// `GET /control/counters`: `duplicates` is the number of references that more than one record carries, by type.
pub(crate) async fn counters(sandbox: Data<Sandbox>) -> HttpResponse {
    let counted = sandbox.counters.snapshot();
    let store = sandbox.store.lock().unwrap_or_else(PoisonError::into_inner);
    let by_type =
        |count: &dyn Fn(Resource) -> usize| Resource::ALL.into_iter().map(|of| (of.path(), count(of))).collect();
    let body = Counted {
        calls: counted.calls,
        answers: counted.answers,
        cuts: counted.cuts,
        in_flight: InFlight { now: counted.in_flight, max: counted.max_in_flight },
        pending_writes: counted.pending_writes,
        faults: counted.faults,
        stripe_calls: counted.stripe_calls,
        idempotent_replays: counted.idempotent_replays,
        idempotency_keys: store.idempotency.len(),
        records: by_type(&|of| store.of(of).len()),
        duplicates: by_type(&|of| store.of(of).doubled()),
    };
    drop(store);
    HttpResponse::Ok().json(body)
}

/// `GET /control/rate`: calls in each tenth of a second of the last minute, oldest first, and the most of one since the last reset.
pub(crate) async fn rate(sandbox: Data<Sandbox>) -> HttpResponse {
    let pace = &sandbox.counters.pace;
    HttpResponse::Ok().json(json!({ "bucketMs": BUCKET_MS, "most": pace.most(), "calls": pace.calls() }))
}

/// `GET /control/duplicates`: the references that more than one record carries, with their records, by type.
pub(crate) async fn duplicates(sandbox: Data<Sandbox>) -> HttpResponse {
    let store = sandbox.store.lock().unwrap_or_else(PoisonError::into_inner);
    let doubled = |of: Resource| {
        let duplicates = store.of(of).duplicates().into_iter();
        let rendered = duplicates.map(|duplicate| Doubled {
            upcoach_reference: duplicate.key,
            ids: duplicate.ids.into_iter().map(|id| id.render(of)).collect(),
        });
        (of.path(), rendered.collect::<Vec<_>>())
    };
    let body: BTreeMap<_, _> = Resource::ALL.into_iter().map(doubled).collect();
    drop(store);
    HttpResponse::Ok().json(body)
}
