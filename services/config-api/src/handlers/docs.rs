//! The API's description, and a page to read it with. The page is part of the program and loads nothing from elsewhere.

use std::sync::Arc;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION};
use actix_web::{HttpResponse, get, web};
use service::http::ApiError;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::Config;

use crate::input::{Nothing, Query};

/// For the page alone: its own scripts and pictures, and styles that Swagger UI writes into its elements.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
    style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// This description
#[utoipa::path(
    tag = "description",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)),
    security(()),
)]
#[get("/api/openapi.json")]
pub(crate) async fn document(description: web::Data<OpenApi>, _: Query<Nothing>) -> HttpResponse {
    HttpResponse::Ok().json(&*description)
}

/// The page and its files; not part of the description.
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    let shown = web::Data::new(Config::from("/api/openapi.json"));
    config
        .service(
            web::resource("/api/docs")
                .get(async || HttpResponse::MovedPermanently().insert_header((LOCATION, "/api/docs/")).finish()),
        )
        .service(web::resource("/api/docs/{file:.*}").app_data(shown).get(page));
}

/// A file of Swagger UI.
pub(crate) async fn page(file: web::Path<String>, shown: web::Data<Config<'static>>) -> Result<HttpResponse, ApiError> {
    let found = utoipa_swagger_ui::serve(&file, Arc::clone(&shown));
    let found = found.map_err(|error| ApiError::internal(anyhow::anyhow!("Swagger UI: {error}")))?;
    let Some(found) = found else { return Ok(HttpResponse::NotFound().finish()) };
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CONTENT_TYPE, found.content_type)).insert_header((CONTENT_SECURITY_POLICY, PAGE_POLICY));
    if found.gzpipped {
        answer.insert_header((CONTENT_ENCODING, "gzip"));
    }
    Ok(answer.body(found.bytes.into_owned()))
}
