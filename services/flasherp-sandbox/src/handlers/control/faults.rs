//! Faults of single calls: `{"method": "POST", "path": "/transactions", "times": 1, "action": {"kind": "cut-after-write"}}`.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{Data, Json, Path},
};
use serde_json::json;

use crate::{
    handlers::errors::{not_found, refused},
    misbehaviour::NewRule,
    sandbox::Sandbox,
};

/// `GET /control/faults`: those in force, each with the calls it saw and those it applied to.
pub(crate) async fn list(sandbox: Data<Sandbox>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "faults": sandbox.misbehaviour.rules() }))
}

/// `POST /control/faults`
pub(crate) async fn add(sandbox: Data<Sandbox>, Json(rule): Json<NewRule>) -> HttpResponse {
    match sandbox.misbehaviour.add(rule) {
        Ok(id) => HttpResponse::Created().json(json!({ "id": id })),
        Err(invalid) => refused(StatusCode::BAD_REQUEST, &invalid.to_string()),
    }
}

/// `DELETE /control/faults/{id}`
pub(crate) async fn remove(sandbox: Data<Sandbox>, id: Path<u64>) -> HttpResponse {
    if sandbox.misbehaviour.remove(*id) {
        HttpResponse::NoContent().finish()
    } else {
        not_found("no fault has this id")
    }
}

/// `DELETE /control/faults`
pub(crate) async fn clear(sandbox: Data<Sandbox>) -> HttpResponse {
    sandbox.misbehaviour.clear_rules();
    HttpResponse::NoContent().finish()
}
