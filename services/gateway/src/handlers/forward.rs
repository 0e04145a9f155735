//! A request handed on to a service behind, and its answer back.
//!
//! | answer | when |
//! |---|---|
//! | 401, 403, 429 | the caller is nobody, may not, or asks too much |
//! | 413, 408, 400 | the body is too large, too slow, or breaks off |
//! | 503 with `Retry-After` | the service is not there, or broke off before it answered |
//! | 504 | it has not answered in time |
//! | anything else | the service's own answer |
//!
//! Nothing is sent twice: whether a service that broke off did what it was asked is not known here, and what can be asked again without harm
//! is known to the caller.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use domain::ErrorCode;
use reqwest::Response;
use secrecy::ExposeSecret;
use service::auth::{Principal, Role};
use service::http::{ApiError, RequestId, client_address};
use service::metrics::Counter;
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::access::caller;
use crate::proxy::{Backend, Lifetime, Outcome, Upload, Upstream, answer, for_backend, streamed, whole};
use crate::routes::{Body, Route, Who};
use crate::{Gateway, Patience};

/// An answer to whoever shows no token ends within this time.
const WITHOUT_TOKEN: Duration = Duration::from_secs(300);
/// A service that is away is soon there again, or not at all.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The handler of every row of [`crate::routes::HANDED_ON`].
pub(crate) async fn forward(
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    route: &'static Route,
) -> Result<HttpResponse, ApiError> {
    if request.method() == Method::OPTIONS {
        return Ok(HttpResponse::MethodNotAllowed().finish());
    }
    let caller = match route.who {
        Who::Anyone => None,
        Who::ByRole | Who::Admins => Some(caller(&request, &gateway).await?),
    };
    if let Some(caller) = &caller {
        check_role(&caller.principal, route.who, request.method())?;
    }
    let upstream = gateway.upstream(route.to).ok_or_else(|| unavailable(route, "it is not configured"))?;
    let token = match route.to {
        Backend::Sandbox => gateway.sandbox_token.as_ref().map(ExposeSecret::expose_secret),
        _ => caller.as_ref().map(|caller| caller.token.as_str()),
    };
    let call =
        Call { outgoing: outgoing(&request, &gateway, upstream, route, token), route, patience: gateway.patience };
    let answered = match route.body {
        Body::Whole => call.with_whole(whole(&request, payload).await?).await?,
        Body::Streamed => call.with_streamed(streamed(payload, gateway.patience.pause)).await?,
    };
    let lifetime = Lifetime {
        until: ends(caller.as_ref().map(|caller| &caller.principal)),
        silence: gateway.patience.silence,
        shutdown: gateway.shutdown.clone(),
    };
    Ok(answer(answered, request.method() == Method::HEAD, lifetime))
}

fn check_role(principal: &Principal, who: Who, method: &Method) -> Result<(), ApiError> {
    let enough = match who {
        Who::Anyone => true,
        Who::ByRole => method.is_safe() || principal.role == Role::Admin,
        Who::Admins => principal.role == Role::Admin,
    };
    if enough { Ok(()) } else { principal.clone().admin().map(drop) }
}

fn outgoing(
    request: &HttpRequest,
    gateway: &Gateway,
    upstream: &Upstream,
    route: &Route,
    token: Option<&str>,
) -> reqwest::RequestBuilder {
    let path = request.uri().path();
    let renamed = route.renamed.and_then(|(from, to)| Some(format!("{to}{}", path.strip_prefix(from)?)));
    let url = upstream.at(renamed.as_deref().unwrap_or(path), request.uri().query());
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let client = client_address(peer, request.headers(), &gateway.trusted_proxies);
    let id = RequestId::current().unwrap_or_else(RequestId::generate);
    let headers = for_backend(request.headers(), token, client, &id);
    // Both libraries know the methods that the guard lets in.
    let method = reqwest::Method::from_bytes(request.method().as_str().as_bytes()).unwrap_or(reqwest::Method::GET);
    gateway.client.request(method, url).headers(headers)
}

/// A call about to be made.
struct Call {
    outgoing: reqwest::RequestBuilder,
    route: &'static Route,
    patience: Patience,
}

impl Call {
    async fn with_whole(self, body: Option<bytes::Bytes>) -> Result<Response, ApiError> {
        let outgoing = body.into_iter().fold(self.outgoing, reqwest::RequestBuilder::body);
        let sent = tokio::time::timeout(self.patience.answer, outgoing.send()).await;
        sent.map_err(|_| late(self.route))?.map_err(|error| unavailable(self.route, error))
    }

    async fn with_streamed(self, upload: Upload) -> Result<Response, ApiError> {
        let Upload { body, mut outcome } = upload;
        let sent = tokio::time::timeout(self.patience.import, self.outgoing.body(body).send()).await;
        match sent.map_err(|_| late(self.route))? {
            Ok(answered) => Ok(answered),
            // Was it the client's body that broke off, or the service?
            Err(error) => {
                let clients_fault = outcome.try_recv().ok().and_then(Outcome::error);
                Err(clients_fault.unwrap_or_else(|| unavailable(self.route, error)))
            }
        }
    }
}

/// When an answer has to be over: with the caller's token.
fn ends(principal: Option<&Principal>) -> Instant {
    let left = principal.map(|principal| principal.expires_at - OffsetDateTime::now_utc());
    // What is checked with some leeway may be over already.
    Instant::now() + left.map_or(WITHOUT_TOKEN, |left| left.try_into().unwrap_or(Duration::from_secs(1)))
}

fn unavailable(route: &Route, cause: impl Into<UnavailableCause>) -> ApiError {
    Counter::BackendUnavailable.increment(&[("backend", route.to.name()), ("error_type", "unreachable")]);
    let message = "the service behind this path is not available; ask again after Retry-After seconds";
    ApiError::new(ErrorCode::ServiceUnavailable, message).retry_after(RETRY_AFTER).caused_by(cause.into().0)
}

fn late(route: &Route) -> ApiError {
    Counter::BackendUnavailable.increment(&[("backend", route.to.name()), ("error_type", "late")]);
    ApiError::new(
        ErrorCode::Timeout,
        "the service behind this path has not answered in time; see what became of the request before you send it again",
    )
}

struct UnavailableCause(anyhow::Error);

impl From<&'static str> for UnavailableCause {
    fn from(cause: &'static str) -> Self {
        Self(anyhow::anyhow!(cause))
    }
}

impl From<reqwest::Error> for UnavailableCause {
    fn from(error: reqwest::Error) -> Self {
        // The URL is the caller's own, query included.
        Self(error.without_url().into())
    }
}
