//! Everything that the admin API serves.
//!
//! | method and path | handler |
//! |---|---|
//! | `GET /api/openapi.json` | [`docs::document`] |
//! | `GET /api/docs/` | [`docs::page`] |

use actix_web::web;
use utoipa::openapi::OpenApi;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::State;
use crate::handlers::docs;
use crate::handlers::unmatched::{self, KnownPaths};

/// The routes that the API's description is made from. A handler's path and method stand above it.
pub(crate) fn described(config: &mut ServiceConfig) {
    config.service(docs::document);
}

/// All routes, on a worker of the server. What has no route is answered 404, or 405 where another method has one.
pub(crate) fn configure(config: &mut web::ServiceConfig, state: web::Data<State>, description: web::Data<OpenApi>) {
    let known = web::Data::new(KnownPaths::of(&description));
    config.app_data(state).app_data(description).app_data(known);
    described(&mut ServiceConfig::new(config));
    config.configure(docs::configure).default_service(web::to(unmatched::answer));
}
