//! Who does something, and where from: an admin with the circumstances of its request, as the audit trail has them.

use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::http::header::USER_AGENT;
use actix_web::{FromRequest, HttpRequest, web};
use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use service::auth::Admin;
use service::http::{ApiError, RequestId, client_address};

use crate::State;

/// Longer ones are cut.
const LONGEST_USER_AGENT: usize = 512;

/// An admin who asks for something. As a handler's parameter it lets nobody else in.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The token's subject.
    pub subject: String,
    pub request_id: RequestId,
    pub address: Option<IpAddr>,
    pub user_agent: Option<String>,
}

impl Actor {
    fn of(subject: String, request: &HttpRequest, request_id: RequestId) -> Self {
        let proxies = request.app_data::<web::Data<State>>().map(|state| state.config.trusted_proxies.as_slice());
        let peer = request.peer_addr().map(|peer| peer.ip());
        let user_agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok());
        Self {
            subject,
            request_id,
            address: peer.map(|peer| client_address(peer, request.headers(), proxies.unwrap_or_default())),
            user_agent: user_agent.map(|text| text.chars().take(LONGEST_USER_AGENT).collect()),
        }
    }
}

impl FromRequest for Actor {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let admin = Admin::from_request(request, payload);
        let request_id = RequestId::from_request(request, payload).into_inner();
        let request = request.clone();
        async move {
            let principal = admin.await?.0;
            let request_id = request_id.unwrap_or_else(|never| match never {});
            Ok(Self::of(principal.subject, &request, request_id))
        }
        .boxed_local()
    }
}
