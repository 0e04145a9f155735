//! Rate limit and quota: `{"perWindow": 100, "windowMs": 60000, "perDay": 10000}`.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{Data, Json},
};

use crate::{handlers::errors::refused, limits::Limit, sandbox::Sandbox};

/// `GET /control/limits`: limits and what was used.
pub(crate) async fn view(sandbox: Data<Sandbox>) -> HttpResponse {
    HttpResponse::Ok().json(sandbox.limits.view(sandbox.clock.now_ms()))
}

/// `PUT /control/limits`: from now on; `{}` for none.
pub(crate) async fn set(sandbox: Data<Sandbox>, Json(limit): Json<Limit>) -> HttpResponse {
    if limit.window_ms == 0 {
        return refused(StatusCode::BAD_REQUEST, "windowMs must be at least 1");
    }
    sandbox.limits.set(limit);
    view(sandbox).await
}
