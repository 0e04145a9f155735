//! Everything that the admin API serves.
//!
//! | method and path | handler |
//! |---|---|
//! | `GET, PUT, DELETE /api/erp/config` | [`configuration`] |
//! | `POST /api/erp/config/test` | [`connection_test`] |
//! | `GET /api/erp/status` | [`status`] |
//! | `POST /api/erp/pause`, `/resume` | [`pause`] |
//! | `GET /api/erp/events` | [`events`] |
//! | `GET /api/erp/jobs`, `/{name}/runs`; `POST /api/erp/jobs/{name}/run`, `/pause`, `/resume` | [`jobs`] |
//! | `GET /api/openapi.json` | [`docs::document`] |
//! | `GET /api/docs/` | [`docs::page`] |
//! | `GET /api/erp/sync-history` | [`history::sync_history`] |
//! | `GET /api/erp/audit-logs` | [`history::audit_logs`] |
//! | `GET /api/erp/audit/verify` | [`audit`] |
//! | `POST /api/erp/sync/{transaction,subscription,customer}/{id}`, `/sync/full` | [`manual_sync`] |
//! | `POST /api/erp/retry/{id}`, `/skip/{id}`, `/syncs/retry`, `/syncs/skip` | [`syncs`] |
//! | `GET /api/erp/syncs/{id}`, `/preview/{entityType}/{id}` | [`preview`] |
//! | `GET /api/erp/batches`, `/{id}`, `DELETE /{id}` | [`batches`] |
//! | `POST /api/erp/import` | [`import`] |
//! | `GET /api/erp/metrics`, `/exposure`, `/error-groups`; `POST /error-groups/{fingerprint}/{retry,skip,acknowledge}` | [`overview`] |
//! | `POST /api/erp/sync/reconcile`; `GET /api/erp/reconciliations`, `/{id}`, `/{id}/findings` and what is done about them | [`reconciliations`] |
//! | `GET /api/erp/timeline` | [`timeline`] |
//! | `GET /api/erp/webhooks`, `/{id}`; `POST /{id}/replay`, `/webhooks/replay` | [`webhooks`] |

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::{Error, web};
use service::auth::known_callers;
use utoipa::openapi::OpenApi;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::State;
use crate::handlers::unmatched::{self, KnownPaths};
use crate::handlers::{
    audit, batches, configuration, connection_test, docs, events, history, import, jobs, manual_sync, overview, pause,
    preview, reconciliations, status, syncs, timeline, webhooks,
};

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
        .service(jobs::runs)
        .service(jobs::run)
        .service(jobs::pause)
        .service(jobs::resume)
        .service(docs::document);
    records(config);
}

/// What is kept of syncs, and what can be done about them.
fn records(config: &mut ServiceConfig) {
    config
        .service(history::sync_history)
        .service(history::audit_logs)
        .service(audit::verify)
        .service(manual_sync::transaction)
        .service(manual_sync::subscription)
        .service(manual_sync::customer)
        .service(manual_sync::full)
        .service(syncs::retry)
        .service(syncs::skip)
        .service(syncs::retry_all)
        .service(syncs::skip_all)
        .service(preview::sync)
        .service(preview::preview)
        .service(import::run)
        .service(batches::list)
        .service(batches::one)
        .service(batches::cancel)
        .service(overview::metrics)
        .service(overview::exposure)
        .service(overview::groups)
        .service(overview::retry)
        .service(overview::skip)
        .service(overview::acknowledge)
        .service(timeline::timeline)
        .service(reconciliations::reconcile)
        .service(reconciliations::list)
        .service(reconciliations::one)
        .service(reconciliations::findings)
        .service(reconciliations::heal_all)
        .service(reconciliations::heal)
        .service(reconciliations::accept)
        .service(reconciliations::ignore)
        .service(webhooks::list)
        .service(webhooks::replay_all)
        .service(webhooks::one)
        .service(webhooks::replay);
}

/// All routes, on a worker of the server. What has no route is answered 404, or 405 where another method has one.
pub(crate) fn configure(
    config: &mut web::ServiceConfig,
    state: web::Data<State>,
    description: web::Data<OpenApi>,
    known: web::Data<KnownPaths>,
) {
    let routes = |config: &mut web::ServiceConfig| {
        known.configure(config);
        described(&mut ServiceConfig::new(config));
        config.configure(docs::configure);
    };
    let all = web::scope("").wrap(from_fn(guard)).configure(routes).default_service(web::to(unmatched::answer));
    config.app_data(state).app_data(description).app_data(known.clone()).service(all);
}

/// Only the description and its page are for everybody.
async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if request.path().starts_with("/api/erp/") {
        return known_callers(request, next).await;
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}
