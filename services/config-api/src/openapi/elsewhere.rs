//! What of the one origin other services answer: the panel's session (the gateway) and the senders' webhooks (ingress). Described here, since there is
//! one description; those services' tests hold their answers against it.

use serde::Serialize;
use service::http::ErrorBody;
use utoipa::ToSchema;
use utoipa::openapi::OpenApi;

use crate::timestamp::Timestamp;

/// Who is signed in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Session {
    subject: String,
    #[schema(pattern = "^(admin|viewer)$")]
    role: String,
    expires_at: Timestamp,
    /// For `X-CSRF-Token`, in every request that changes something by the session's cookie.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    csrf_token: String,
}

/// An event that is durable.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Delivered {
    received: bool,
    request_id: String,
    /// Whether it had come before.
    duplicate: bool,
}

/// Something is listening there.
#[derive(Serialize, ToSchema)]
struct WebhooksHealth {
    #[schema(pattern = "^healthy$")]
    status: String,
    #[schema(example = "stripe-webhooks")]
    service: String,
    timestamp: Timestamp,
}

/// A sender's own event.
#[derive(ToSchema)]
#[schema(value_type = Object)]
#[expect(dead_code, reason = "describes what ingress reads")]
struct SendersEvent(serde_json::Value);

/// Who is signed in, by bearer token or by the session's cookie
#[utoipa::path(
    get, path = "/api/auth/session", tag = "session", operation_id = "readSession",
    responses(
        (status = 200, body = Session),
        (status = 401, description = "No valid token, and no valid cookie", body = ErrorBody),
        (status = 403, description = "The role is neither of the two", body = ErrorBody),
    ),
)]
#[expect(dead_code, reason = "served by the gateway")]
fn read_session() {}

/// Begin a session: a bearer token for a cookie that no script can read
///
/// It ends with the token.
#[utoipa::path(
    post, path = "/api/auth/session", tag = "session", operation_id = "beginSession",
    responses(
        (status = 200, body = Session, headers(("Set-Cookie" = String, description = "`erp_session`, HttpOnly and SameSite=Strict"))),
        (status = 400, description = "The token is too long for a cookie", body = ErrorBody),
        (status = 401, description = "No valid bearer token", body = ErrorBody),
        (status = 403, description = "The role is neither of the two, or another origin's page asks", body = ErrorBody),
    ),
    security(("bearer" = [])),
)]
#[expect(dead_code, reason = "served by the gateway")]
fn begin_session() {}

/// End the session, also one that has expired
#[utoipa::path(
    delete, path = "/api/auth/session", tag = "session", operation_id = "endSession",
    responses(
        (status = 204, description = "The cookie is taken away", headers(("Set-Cookie" = String, description = "An `erp_session` that is over"))),
        (status = 403, description = "Another origin's page asks", body = ErrorBody),
    ),
    security(()),
)]
#[expect(dead_code, reason = "served by the gateway")]
fn end_session() {}

/// Stripe's events
#[utoipa::path(
    post, path = "/api/webhooks/stripe", tag = "senders", operation_id = "receiveStripeEvent",
    params(("Stripe-Signature" = String, Header, description = "`t=...,v1=...`, over the body as it is sent")),
    request_body = SendersEvent,
    responses((status = 200, description = "The event is durable, whether it can be used or not", body = Delivered)),
    security(()),
)]
#[expect(dead_code, reason = "served by ingress")]
fn receive_stripe_event() {}

/// FlashERP's events
#[utoipa::path(
    post, path = "/api/webhooks/flasherp", tag = "senders", operation_id = "receiveFlasherpEvent",
    params(
        ("X-FlashERP-Signature" = String, Header, description = "HMAC-SHA256 of `<timestamp>.<body as it is sent>`, in lower-case hex; during a rotation two, with a comma between"),
        ("X-FlashERP-Timestamp" = String, Header, description = "Unix seconds"),
    ),
    request_body = SendersEvent,
    responses((status = 200, description = "The event is durable, whether it can be used or not", body = Delivered)),
    security(()),
)]
#[expect(dead_code, reason = "served by ingress")]
fn receive_flasherp_event() {}

/// Whether Stripe's events are listened for
#[utoipa::path(
    get, path = "/api/webhooks/stripe/health", tag = "senders", operation_id = "stripeWebhooksHealth",
    responses((status = 200, body = WebhooksHealth)),
    security(()),
)]
#[expect(dead_code, reason = "served by ingress")]
fn stripe_health() {}

/// Whether FlashERP's events are listened for
#[utoipa::path(
    get, path = "/api/webhooks/flasherp/health", tag = "senders", operation_id = "flasherpWebhooksHealth",
    responses((status = 200, body = WebhooksHealth)),
    security(()),
)]
#[expect(dead_code, reason = "served by ingress")]
fn flasherp_health() {}

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    read_session,
    begin_session,
    end_session,
    receive_stripe_event,
    receive_flasherp_event,
    stripe_health,
    flasherp_health
))]
struct Elsewhere;

/// These paths alone.
pub(super) fn described() -> OpenApi {
    <Elsewhere as utoipa::OpenApi>::openapi()
}
