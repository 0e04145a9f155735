//! `GET /api/webhooks/<source>/health`, for whoever sets the sender up: something is listening here.

use actix_web::HttpResponse;
use events::WebhookSource;
use serde_json::json;
use time::OffsetDateTime;
use time::macros::format_description;

/// Answers `{"status": "healthy", "service", "timestamp"}`.
pub(crate) fn health(source: WebhookSource) -> HttpResponse {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let timestamp = OffsetDateTime::now_utc().format(format).unwrap_or_default();
    let service = format!("{}-webhooks", source.as_str());
    HttpResponse::Ok().json(json!({ "status": "healthy", "service": service, "timestamp": timestamp }))
}
