//! What holds for all calls: latency, outage, capabilities, clock, seed, and back to the start.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, Data, Json},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    capability::Capability,
    handlers::errors::refused,
    misbehaviour::{Latency, Outage},
    sandbox::Sandbox,
    schema::render_instant,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Seed {
    seed: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ClockSetting {
    ahead_ms: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OutageSetting {
    outage: Outage,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CapabilitiesSetting {
    capabilities: Vec<Capability>,
}

/// `POST /control/reset`: no records, keys, faults or counts; deliveries are cancelled.
pub(crate) async fn reset(sandbox: Data<Sandbox>) -> HttpResponse {
    sandbox.reset();
    HttpResponse::NoContent().finish()
}

/// `POST /control/snapshot`: writes the file now.
pub(crate) async fn snapshot(sandbox: Data<Sandbox>) -> HttpResponse {
    if sandbox.snapshots.is_none() {
        return refused(StatusCode::CONFLICT, "there is no file to write: set SANDBOX_SNAPSHOT_FILE");
    }
    let sandbox = sandbox.into_inner();
    match web::block(move || sandbox.write_snapshot()).await {
        Ok(Ok(())) => HttpResponse::NoContent().finish(),
        Ok(Err(error)) => refused(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error:#}")),
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// `PUT /control/seed` `{"seed": 7}`: the random choices start from here.
pub(crate) async fn set_seed(sandbox: Data<Sandbox>, Json(Seed { seed }): Json<Seed>) -> HttpResponse {
    sandbox.misbehaviour.set_seed(seed);
    sandbox.webhooks.set_seed(seed);
    HttpResponse::NoContent().finish()
}

/// `GET /control/clock`
pub(crate) async fn clock(sandbox: Data<Sandbox>) -> HttpResponse {
    let now = render_instant(sandbox.clock.now_ms());
    HttpResponse::Ok().json(json!({ "now": now, "aheadMs": sandbox.clock.ahead_ms() }))
}

/// `PUT /control/clock` `{"aheadMs": 86400000}`: FlashERP's time is the machine's and so much more; negative is less.
pub(crate) async fn set_clock(sandbox: Data<Sandbox>, Json(setting): Json<ClockSetting>) -> HttpResponse {
    sandbox.clock.set_ahead_ms(setting.ahead_ms);
    sandbox.webhooks.wake();
    clock(sandbox).await
}

/// `PUT /control/capabilities` `{"capabilities": ["idempotency-key"]}`: what `/health` lists, and what works.
pub(crate) async fn set_capabilities(sandbox: Data<Sandbox>, Json(setting): Json<CapabilitiesSetting>) -> HttpResponse {
    sandbox.set_capabilities(setting.capabilities.into_iter().collect());
    HttpResponse::NoContent().finish()
}

/// `GET /control/latency`
pub(crate) async fn latency(sandbox: Data<Sandbox>) -> HttpResponse {
    HttpResponse::Ok().json(sandbox.misbehaviour.latency())
}

/// `PUT /control/latency` `{"minMs": 5, "maxMs": 50, "when": "before"}`: how long every call takes.
pub(crate) async fn set_latency(sandbox: Data<Sandbox>, Json(latency): Json<Latency>) -> HttpResponse {
    if let Some(problem) = latency.problem() {
        return refused(StatusCode::BAD_REQUEST, problem);
    }
    sandbox.misbehaviour.set_latency(latency);
    HttpResponse::Ok().json(latency)
}

/// `GET /control/outage`
pub(crate) async fn outage(sandbox: Data<Sandbox>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "outage": sandbox.misbehaviour.outage() }))
}

/// `PUT /control/outage` `{"outage": "unavailable"}`: `off`, `degraded`, `unavailable` or `cut`.
pub(crate) async fn set_outage(sandbox: Data<Sandbox>, Json(setting): Json<OutageSetting>) -> HttpResponse {
    sandbox.misbehaviour.set_outage(setting.outage);
    outage(sandbox).await
}
