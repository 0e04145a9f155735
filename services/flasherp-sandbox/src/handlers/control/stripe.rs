//! Stripe's deliveries: begin one, watch it, end it.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, Data, Json, Path},
};

use crate::{
    handlers::errors::{not_found, refused},
    sandbox::Sandbox,
    stripe::{Failing, Progress, Refused, SendId, SendOrder},
};

/// `POST /control/stripe/send`: 202 and the progress, whose `id` names the run from now on.
pub(crate) async fn send(sandbox: Data<Sandbox>, Json(order): Json<SendOrder>) -> HttpResponse {
    match sandbox.sends.begin(order, &sandbox.history, sandbox.clock.now_ms()) {
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

/// `GET /control/stripe/sends/{id}/objects/{kind}`: `{"data": [...]}` with all objects of that kind (`payment_intent`) that a send's stories
/// end with.
pub(crate) async fn objects(sandbox: Data<Sandbox>, path: Path<(u64, String)>) -> HttpResponse {
    let (id, kind) = path.into_inner();
    let Some(run) = sandbox.sends.run(SendId(id)) else { return not_found("no send has this id") };
    match web::block(move || run.all_objects(&kind)).await {
        Ok(objects) => HttpResponse::Ok().json(serde_json::json!({ "data": objects })),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

/// `GET /control/stripe/outage`
pub(crate) async fn outage(sandbox: Data<Sandbox>) -> HttpResponse {
    HttpResponse::Ok().json(sandbox.stripe_outage.get())
}

/// `PUT /control/stripe/outage` `{"status": 503, "times": 3}`: what Stripe's API answers next; `{"status": null}` ends it.
pub(crate) async fn set_outage(sandbox: Data<Sandbox>, Json(failing): Json<Failing>) -> HttpResponse {
    if failing.status.is_some_and(|status| !(400..=599).contains(&status)) {
        return refused(StatusCode::BAD_REQUEST, "status must be from 400 to 599");
    }
    sandbox.stripe_outage.set(failing);
    outage(sandbox).await
}

fn found(progress: Option<Progress>) -> HttpResponse {
    match progress {
        Some(progress) => HttpResponse::Ok().json(progress),
        None => not_found("no send has this id"),
    }
}
