//! Stripe's deliveries: begin one, watch it, end it.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{Data, Json, Path},
};

use crate::{
    handlers::errors::{not_found, refused},
    sandbox::Sandbox,
    stripe::{Progress, Refused, SendId, SendOrder},
};

/// `POST /control/stripe/send`: 202 and the progress, whose `id` names the run from now on.
pub(crate) async fn send(sandbox: Data<Sandbox>, Json(order): Json<SendOrder>) -> HttpResponse {
    match sandbox.sends.begin(order) {
        Ok(progress) => HttpResponse::Accepted().json(progress),
        Err(error @ Refused::NoSecret) => refused(StatusCode::CONFLICT, &error.to_string()),
        Err(error @ (Refused::Bad { .. } | Refused::Currency(_))) => {
            refused(StatusCode::BAD_REQUEST, &error.to_string())
        }
    }
}

/// `GET /control/stripe/sends/{id}`
pub(crate) async fn progress(sandbox: Data<Sandbox>, id: Path<u64>) -> HttpResponse {
    found(sandbox.sends.progress(SendId(*id)))
}

/// `POST /control/stripe/sends/{id}/cancel`
pub(crate) async fn cancel(sandbox: Data<Sandbox>, id: Path<u64>) -> HttpResponse {
    found(sandbox.sends.cancel(SendId(*id)))
}

fn found(progress: Option<Progress>) -> HttpResponse {
    match progress {
        Some(progress) => HttpResponse::Ok().json(progress),
        None => not_found("no send has this id"),
    }
}
