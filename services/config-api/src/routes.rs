//! Everything that the admin API serves.
//!
//! | method and path | handler |
//! |---|---|
//! | `GET, PUT, DELETE /api/erp/config` | [`configuration`] |
//! | `POST /api/erp/config/test` | [`connection_test`] |
//! | `GET /api/erp/status` | [`status`] |
//! | `POST /api/erp/pause`, `/resume` | [`pause`] |
//! | `GET /api/erp/events` | [`events`] |
//! | `GET /api/erp/jobs`; `POST /api/erp/jobs/{name}/run`, `/pause`, `/resume` | [`jobs`] |
//! | `GET /api/openapi.json` | [`docs::document`] |
//! | `GET /api/docs/` | [`docs::page`] |

use actix_web::web;
use utoipa::openapi::OpenApi;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::State;
use crate::handlers::unmatched::{self, KnownPaths};
use crate::handlers::{configuration, connection_test, docs, events, jobs, pause, status};

/// The routes that the API's description is made from. A handler's path and method stand above it.
pub(crate) fn described(config: &mut ServiceConfig) {
    config
        .service(configuration::read)
        .service(configuration::save)
        .service(configuration::delete)
        .service(connection_test::test)
        .service(status::read)
        .service(pause::pause)
        .service(pause::resume)
        .service(events::stream)
        .service(jobs::list)
        .service(jobs::run)
        .service(jobs::pause)
        .service(jobs::resume)
        .service(docs::document);
}

/// All routes, on a worker of the server. What has no route is answered 404, or 405 where another method has one.
pub(crate) fn configure(config: &mut web::ServiceConfig, state: web::Data<State>, description: web::Data<OpenApi>) {
    let known = web::Data::new(KnownPaths::of(&description));
    config.app_data(state).app_data(description).app_data(known);
    described(&mut ServiceConfig::new(config));
    config.configure(docs::configure).default_service(web::to(unmatched::answer));
}
