//! Everything that the gateway serves: what is its own, and what it hands on to whom, for whom.
//!
//! | path | what |
//! |---|---|
//! | `/api/auth/session` | [`session`]: a bearer token for a cookie |
//! | [`HANDED_ON`] | [`forward`] |
//! | any other under `/api` | 404 |
//! | `/sign-in` and its files | [`sign_in`]: the page that makes a session of a link |
//! | all else | [`panel`]: the panel's files |

use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, web};

use crate::handlers::{forward, panel, session, sign_in};
use crate::proxy::Backend::{self, ConfigApi, Ingress, Sandbox};
use crate::{Gateway, access};

/// Who may call a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Whoever comes: the backend knows its own callers, or there is nothing to hide.
    Anyone,
    /// Viewers and admins what only reads, admins the rest.
    ByRole,
    /// Admins.
    Admins,
}

/// How a request's body goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// Whole, up to 1 MiB, once it has come within its time.
    Whole,
    /// As it comes, of any size.
    Streamed,
}

/// A path that is handed on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) path: &'static str,
    pub(crate) to: Backend,
    pub(crate) who: Who,
    pub(crate) body: Body,
    /// What the backend calls the path's beginning, where that differs.
    pub(crate) renamed: Option<(&'static str, &'static str)>,
}

const fn route(path: &'static str, to: Backend, who: Who) -> Route {
    Route { path, to, who, body: Body::Whole, renamed: None }
}

/// The first that matches, of those whose backend there is.
pub(crate) const HANDED_ON: &[Route] = &[
    route("/api/webhooks/{rest:.*}", Ingress, Who::Anyone),
    Route { body: Body::Streamed, ..route("/api/erp/import", ConfigApi, Who::ByRole) },
    route("/api/erp/{rest:.*}", ConfigApi, Who::ByRole),
    Route { renamed: Some(("/api/sandbox/", "/control/")), ..route("/api/sandbox/{rest:.*}", Sandbox, Who::Admins) },
    route("/api/openapi.json", ConfigApi, Who::Anyone),
    route("/api/docs", ConfigApi, Who::Anyone),
    route("/api/docs/{rest:.*}", ConfigApi, Who::Anyone),
];

pub(crate) fn configure(config: &mut web::ServiceConfig, gateway: web::Data<Gateway>) {
    let mut all = web::scope("").wrap(from_fn(access::guard)).service(
        web::resource("/api/auth/session")
            .get(session::show)
            .post(session::begin)
            .delete(session::end)
            .default_service(web::to(session::other_method)),
    );
    for route in HANDED_ON.iter().filter(|route| gateway.upstream(route.to).is_some()) {
        let handler = async |request: HttpRequest, body: web::Payload, gateway: web::Data<Gateway>| {
            forward::forward(request, body, gateway, route).await
        };
        all = all.service(web::resource(route.path).to(handler));
    }
    all = all
        .service(web::resource("/sign-in").get(sign_in::page))
        .service(web::resource("/sign-in.js").get(sign_in::script))
        .service(web::resource("/sign-in.css").get(sign_in::style))
        .default_service(web::to(panel::file));
    config.app_data(gateway).service(all);
}
