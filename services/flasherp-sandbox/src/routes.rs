//! Every path of the sandbox, in one table.

use actix_web::{
    dev::HttpServiceFactory,
    middleware::from_fn,
    web::{self, ServiceConfig, delete, get, post, put, resource, scope},
};

use crate::{
    api::Endpoint,
    handlers::{
        control::{behaviour, faults, limits, observe, origin, records, stripe, webhooks},
        errors, flasherp, page, stripe as stripe_api,
    },
    schema::Resource,
};

/// A body longer than this is refused.
const BODY_MAX: usize = 1024 * 1024;

pub(crate) fn configure(config: &mut ServiceConfig) {
    config
        .app_data(web::PayloadConfig::new(BODY_MAX))
        .app_data(web::JsonConfig::default().limit(BODY_MAX).error_handler(errors::bad_json))
        .app_data(web::PathConfig::default().error_handler(errors::bad_path))
        .route("/", get().to(page::index))
        .route("/sandbox.js", get().to(page::script))
        .route("/sandbox.css", get().to(page::style))
        .service(flasherp())
        .service(stripe())
        .service(control())
        .default_service(web::to(errors::no_such_path));
}

fn flasherp() -> actix_web::Scope {
    let mut v1 = scope("/v1").route("/health", flasherp::route(Endpoint::Health));
    for of in Resource::ALL {
        let mut all = resource(format!("/{}", of.path())).route(flasherp::route(Endpoint::Create(of)));
        if of.is_readable() {
            let mut one = resource(format!("/{}/{{id}}", of.path()))
                .route(flasherp::route(Endpoint::Get(of)))
                .route(flasherp::route(Endpoint::Update(of)));
            if of == Resource::Subscriptions {
                one = one.route(flasherp::route(Endpoint::Cancel));
            }
            all = all.route(flasherp::route(Endpoint::List(of)));
            v1 = v1.service(one.default_service(flasherp::route(Endpoint::Unknown)));
        }
        v1 = v1.service(all.default_service(flasherp::route(Endpoint::Unknown)));
    }
    v1.default_service(flasherp::route(Endpoint::Unknown))
}

/// What `STRIPE_BASE_URL` leads to; beside FlashERP's paths, some of which have the same names.
fn stripe() -> actix_web::Scope {
    scope("/stripe").route("/v1/{path:.*}", get().to(stripe_api::get)).default_service(web::to(stripe_api::unknown))
}

fn control() -> impl HttpServiceFactory {
    scope("/control")
        .wrap(from_fn(origin::only_own))
        // all of it
        .route("/reset", post().to(behaviour::reset))
        .route("/seed", put().to(behaviour::set_seed))
        .route("/clock", get().to(behaviour::clock))
        .route("/clock", put().to(behaviour::set_clock))
        .route("/capabilities", put().to(behaviour::set_capabilities))
        // FlashERP's behaviour
        .route("/latency", get().to(behaviour::latency))
        .route("/latency", put().to(behaviour::set_latency))
        .route("/outage", get().to(behaviour::outage))
        .route("/outage", put().to(behaviour::set_outage))
        .route("/limits", get().to(limits::view))
        .route("/limits", put().to(limits::set))
        .route("/faults", get().to(faults::list))
        .route("/faults", post().to(faults::add))
        .route("/faults", delete().to(faults::clear))
        .route("/faults/{id}", delete().to(faults::remove))
        // what happened, and what is there
        .route("/counters", get().to(observe::counters))
        .route("/rate", get().to(observe::rate))
        .route("/snapshot", post().to(behaviour::snapshot))
        .route("/duplicates", get().to(observe::duplicates))
        .route("/records/{type}", get().to(records::dump))
        .route("/records/{type}", post().to(records::create))
        .route("/records/{type}/{id}", put().to(records::edit))
        .route("/records/{type}/{id}", delete().to(records::remove))
        // FlashERP's webhooks
        .route("/webhooks", get().to(webhooks::view))
        .route("/webhooks", put().to(webhooks::set))
        .route("/webhooks/send", post().to(webhooks::send))
        .route("/webhooks/release", post().to(webhooks::release))
        .route("/webhooks/waiting", delete().to(webhooks::drop_waiting))
        // Stripe
        .route("/stripe/send", post().to(stripe::send))
        .route("/stripe/sends/{id}", get().to(stripe::progress))
        .route("/stripe/sends/{id}/cancel", post().to(stripe::cancel))
        .route("/stripe/sends/{id}/objects/{kind}", get().to(stripe::objects))
        .route("/stripe/outage", get().to(stripe::outage))
        .route("/stripe/outage", put().to(stripe::set_outage))
}
