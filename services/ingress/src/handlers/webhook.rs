//! `POST /api/webhooks/<source>`: the checks in the order that the design gives, then the commit, then the answer.
//!
//! | answer | when |
//! |---|---|
//! | 413 | the body is over 1 MiB |
//! | 415 | `Content-Encoding`: the signature is over what was sent |
//! | 429 | the client address has used up its allowance |
//! | 503 | no secret is set, or FlashERP's webhooks are switched off |
//! | 401 | a header is missing or unreadable, the timestamp is off, no signature matches |
//! | 400 | the body is not JSON, or no event |
//! | 200 | the event is durable, whether it can be used or not |
//! | 503 | it could not be stored |
//!
//! A body that does not arrive in time is a 408 wherever the order would need it. A process that dies anywhere in here has not answered, so
//! the sender comes again.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_ENCODING, HeaderMap, HeaderValue, USER_AGENT};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use domain::{ErrorCode, EventRowId};
use ipnet::IpNet;
use service::http::{BODY_LIMIT, BodyError, Caller, RequestId, client_address, declared_length, read_body};
use service::metrics::Counter;
use time::OffsetDateTime;
use tracing::Instrument as _;
use uuid::Uuid;
use webhooks::envelope::{self, NotAnEvent, Usable};

use super::answer::{self, Refusal};
use super::trace::Trace;
use crate::commit::{Event, Storage, Stored};
use crate::endpoint::Endpoint;

/// Longer names are cut.
const USER_AGENT_CHARS: usize = 255;

/// When it is worth looking whether a secret has been set.
const CLOSED_RETRY: Duration = Duration::from_secs(60);

/// What one of the server's threads has at hand.
pub(crate) struct Worker {
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Arc<[IpNet]>,
    /// Whether traces go anywhere.
    pub traces_exported: bool,
    /// How long a body may take to arrive.
    pub body_deadline: Duration,
    /// Where accepted events go.
    pub storage: Storage,
}

/// Answers any other method on a path that takes deliveries.
pub(crate) async fn wrong_method() -> HttpResponse {
    let refusal = Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::InvalidRequest,
        "method",
        "Webhooks are sent here by POST.",
    );
    let mut response = refusal.answer(&RequestId::generate());
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    response
}

/// Answers one delivery.
pub(crate) async fn receive(
    worker: &Worker,
    endpoint: &Endpoint,
    request: &HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let begun = Instant::now();
    let headers = request.headers();
    let given = headers.get("x-request-id").and_then(|value| value.to_str().ok());
    let request_id = given.and_then(RequestId::parse).unwrap_or_else(RequestId::generate);
    let trace = Trace::of(headers, worker.traces_exported, endpoint.source().as_str());
    let arrival = Arrival {
        request_id: &request_id,
        remote_addr: client_address(peer(request), headers, &worker.trusted_proxies),
        traceparent: trace.traceparent,
        begun,
    };
    let taking = take(worker, endpoint, headers, payload, arrival);
    let outcome = if trace.span.is_none() { taking.await } else { taking.instrument(trace.span).await };
    match outcome {
        Ok(stored) => answer::received(&request_id, stored == Stored::Duplicate),
        Err(refusal) => {
            Counter::WebhookReceived.increment(&[("source", endpoint.source().as_str())]);
            Counter::WebhookRejected.increment(&[("source", endpoint.source().as_str()), ("reason", refusal.reason)]);
            tracing::debug!(
                source = endpoint.source().as_str(),
                request_id = request_id.as_str(),
                status = refusal.status.as_u16(),
                reason = refusal.reason,
                "webhook refused"
            );
            refusal.answer(&request_id)
        }
    }
}

/// What is known before the body is looked at.
struct Arrival<'a> {
    request_id: &'a RequestId,
    remote_addr: IpAddr,
    traceparent: Option<String>,
    begun: Instant,
}

async fn take(
    worker: &Worker,
    endpoint: &Endpoint,
    headers: &HeaderMap,
    payload: Payload,
    arrival: Arrival<'_>,
) -> Result<Stored, Refusal> {
    let declared = declared_length(headers);
    if declared.is_some_and(|length| length > BODY_LIMIT as u64) {
        return Err(too_large());
    }
    // Of a length that is told the first check needs no more; of one that isn't it needs the body.
    let (body, payload) = match declared {
        Some(_) => (None, Some(payload)),
        None => (Some(read(payload, worker.body_deadline).await?), None),
    };
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ErrorCode::InvalidRequest,
            "content_encoding",
            "The signature is over the bytes that are sent: send the body without Content-Encoding.",
        ));
    }
    if let Some(limit) = &endpoint.rate_limit {
        limit.check(Caller::at(arrival.remote_addr)).map_err(|wait| {
            Refusal::new(
                StatusCode::TOO_MANY_REQUESTS,
                ErrorCode::RateLimitExceeded,
                "rate_limit",
                "This address sends more than its allowance; send the event again after Retry-After seconds.",
            )
            .retry_after(wait)
        })?;
    }
    let opened = endpoint.open(OffsetDateTime::now_utc()).map_err(|closed| {
        let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, closed.code, "closed", closed.message);
        let refusal = refusal.retry_after(CLOSED_RETRY);
        match closed.disabled_by {
            Some(by) => refusal.with_detail("disabledBy", by),
            None => refusal,
        }
    })?;
    let body = match (body, payload) {
        (Some(body), _) => body,
        (None, Some(payload)) => read(payload, worker.body_deadline).await?,
        (None, None) => Bytes::new(),
    };
    let secret = endpoint.verify(&opened, headers, &body, OffsetDateTime::now_utc()).map_err(|error| {
        Refusal::new(StatusCode::UNAUTHORIZED, ErrorCode::AuthFailed, error.kind(), error.to_string())
    })?;
    let event = event(endpoint, headers, &body, secret.label(), arrival)?;
    worker.storage.store(event).await.map_err(|error| {
        Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::ServiceUnavailable,
            "not_stored",
            "The event could not be stored at the moment; send it again.",
        )
        .retry_after(error.retry_after())
    })
}

fn event(
    endpoint: &Endpoint,
    headers: &HeaderMap,
    body: &Bytes,
    secret: &'static str,
    arrival: Arrival<'_>,
) -> Result<Event, Refusal> {
    let envelope = envelope::read(body).map_err(|error| match error {
        NotAnEvent::NotJson => {
            Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest, "not_json", error.to_string())
        }
        NotAnEvent::NoIdOrType { missing } => {
            Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::ValidationError, "no_id_or_type", error.to_string())
                .with_detail(missing, "must be a string that is not empty")
        }
    })?;
    let user_agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    Ok(Event {
        id: EventRowId(Uuid::now_v7()),
        source: endpoint.source(),
        event_id: envelope.id.into_owned(),
        event_type: envelope.event_type.into_owned(),
        body: body.clone(),
        occurred_at: envelope.occurred_at,
        defect: match envelope.usable {
            Usable::Yes => None,
            Usable::Quarantine(defect) => Some(defect),
        },
        remote_addr: arrival.remote_addr,
        user_agent: user_agent.map(|name| name.chars().take(USER_AGENT_CHARS).collect()),
        request_id: arrival.request_id.uuid(),
        traceparent: arrival.traceparent,
        secret,
        received: arrival.begun,
    })
}

async fn read(payload: Payload, deadline: Duration) -> Result<Bytes, Refusal> {
    read_body(payload, deadline).await.map_err(|error| match error {
        BodyError::TooLarge => too_large(),
        BodyError::TooSlow => Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            ErrorCode::Timeout,
            "slow_body",
            "The body did not arrive in time; send the event again.",
        ),
        BodyError::Broken(_) => Refusal::new(
            StatusCode::BAD_REQUEST,
            ErrorCode::InvalidRequest,
            "broken_body",
            "The body could not be read; send the event again.",
        ),
    })
}

fn too_large() -> Refusal {
    Refusal::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::InvalidRequest,
        "too_large",
        "The body is larger than 1 MiB.",
    )
}

/// The address at the other end of the connection. A connection that is closed already has none; it will get no answer either.
fn peer(request: &HttpRequest) -> IpAddr {
    request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip())
}

#[cfg(test)]
mod tests {
    use actix_web::FromRequest as _;
    use actix_web::body::MessageBody as _;
    use actix_web::dev;
    use actix_web::error::PayloadError;
    use actix_web::test::TestRequest;
    use futures::StreamExt as _;
    use futures::stream;
    use webhooks::signature::Keys;

    use super::*;
    use crate::endpoint::{Opened, Sender};

    #[actix_web::test]
    async fn a_body_that_stops_coming_is_408() {
        let worker = Worker {
            trusted_proxies: Arc::new([]),
            traces_exported: false,
            body_deadline: Duration::from_millis(1),
            storage: Storage::Nothing,
        };
        let sender = Sender::Stripe(Opened::newest_first(Keys::new(["whsec"])));
        let endpoint = Endpoint { rate_limit: None, sender };
        let request = TestRequest::post().insert_header(("content-length", "100")).to_http_request();
        let begun = stream::iter([Ok::<_, PayloadError>(Bytes::from_static(b"{"))]).chain(stream::pending());
        let mut payload = dev::Payload::Stream { payload: begun.boxed_local() };
        let payload = Payload::from_request(&request, &mut payload).await.expect("a payload");

        let answer = receive(&worker, &endpoint, &request, payload).await;
        assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
        let body = answer.into_body().try_into_bytes().expect("a body");
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((body["code"].as_str(), body["error"].as_str()), (Some("TIMEOUT"), Some("Request Timeout")));
    }
}
