//! Everything that ingress serves.
//!
//! | method and path | handler |
//! |---|---|
//! | `POST /api/webhooks/stripe` | [`receive`] |
//! | `GET /api/webhooks/stripe/health` | [`health`] |

use std::rc::Rc;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use service::http::RequestScope;

use crate::endpoint::Endpoint;
use crate::handlers::{Worker, health, receive, wrong_method};

pub(crate) fn configure(config: &mut web::ServiceConfig, worker: Rc<Worker>, stripe: Arc<Endpoint>) {
    config.service(deliveries("/api/webhooks/stripe", &worker, &stripe)).service(
        web::scope("")
            .wrap(RequestScope)
            .route("/api/webhooks/stripe/health", web::get().to(async || health(events::WebhookSource::Stripe)))
            .default_service(web::to(async || HttpResponse::NotFound().finish())),
    );
}

fn deliveries(path: &'static str, worker: &Rc<Worker>, endpoint: &Arc<Endpoint>) -> actix_web::Resource {
    let (worker, endpoint) = (Rc::clone(worker), Arc::clone(endpoint));
    let resource = web::resource(path).default_service(web::to(wrong_method));
    resource.post(move |request: HttpRequest, payload: web::Payload| {
        let (worker, endpoint) = (Rc::clone(&worker), Arc::clone(&endpoint));
        async move { receive(&worker, &endpoint, &request, payload).await }
    })
}
