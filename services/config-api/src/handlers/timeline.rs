//! Where is my invoice.

use actix_web::{HttpResponse, get, web};
use service::auth::Viewer;
use service::http::ApiError;

use crate::State;
use crate::input::{Fields, FromFields, Query};
use crate::timeline::{self as story, Timeline};

/// Any id.
#[derive(Clone, Debug)]
pub(crate) struct Asked(String);

impl FromFields for Asked {
    fn read(fields: &mut Fields) -> Self {
        if !fields.has("q") {
            fields.wrong("q", "is needed: an id of UpCoach's, Stripe's, FlashERP's, of an event or a request");
        }
        Self(fields.text_of("q", 1..=255).unwrap_or_default().trim().to_owned())
    }
}

/// Everything about an id, in order of time
///
/// From any id (UpCoach's, Stripe's, FlashERP's, an event's, a request's) to its webhooks, records, syncs, attempts, FlashERP's record, findings and audit
/// rows. Nothing found is an empty list.
#[utoipa::path(
    tag = "overview",
    operation_id = "readTimeline",
    params(("q" = String, Query, min_length = 1, max_length = 255, description = "The id")),
    responses((status = 200, body = Timeline)),
)]
#[get("/api/erp/timeline")]
pub(crate) async fn timeline(
    _: Viewer,
    state: web::Data<State>,
    Query(Asked(query)): Query<Asked>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(story::read(&state.pool, &query).await?))
}
