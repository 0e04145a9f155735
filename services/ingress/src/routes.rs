//! Everything that ingress serves.
//!
//! | method and path | handler |
//! |---|---|
//! | `POST /api/webhooks/stripe`, `POST /api/webhooks/flasherp` | [`receive`] |
//! | `GET /api/webhooks/stripe/health`, `GET /api/webhooks/flasherp/health` | [`health`] |

use std::rc::Rc;
use std::sync::Arc;

use actix_web::http::header::ALLOW;
use actix_web::{HttpRequest, HttpResponse, web};
use events::WebhookSource;
use service::http::RequestScope;

use crate::endpoint::Endpoint;
use crate::handlers::{Worker, health, receive, wrong_method};

pub(crate) fn configure(config: &mut web::ServiceConfig, worker: Rc<Worker>, endpoints: &Endpoints) {
    config
        .service(deliveries("/api/webhooks/stripe", &worker, &endpoints.stripe))
        .service(deliveries("/api/webhooks/flasherp", &worker, &endpoints.flasherp))
        .service(
            web::scope("")
                .wrap(RequestScope)
                .service(healths("/api/webhooks/stripe/health", WebhookSource::Stripe))
                .service(healths("/api/webhooks/flasherp/health", WebhookSource::Flasherp))
                .default_service(web::to(async || HttpResponse::NotFound().finish())),
        );
}

/// Who is let in, and how.
#[derive(Clone)]
pub(crate) struct Endpoints {
    pub(crate) stripe: Arc<Endpoint>,
    pub(crate) flasherp: Arc<Endpoint>,
}

fn healths(path: &'static str, source: WebhookSource) -> actix_web::Resource {
    let other_method = async || HttpResponse::MethodNotAllowed().insert_header((ALLOW, "GET")).finish();
    web::resource(path).get(move || std::future::ready(health(source))).default_service(web::to(other_method))
}

fn deliveries(path: &'static str, worker: &Rc<Worker>, endpoint: &Arc<Endpoint>) -> actix_web::Resource {
    let (worker, endpoint) = (Rc::clone(worker), Arc::clone(endpoint));
    let resource = web::resource(path).default_service(web::to(wrong_method));
    resource.post(move |request: HttpRequest, payload: web::Payload| {
        let (worker, endpoint) = (Rc::clone(&worker), Arc::clone(&endpoint));
        async move { receive(&worker, &endpoint, &request, payload).await }
    })
}
