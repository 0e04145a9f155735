//! What a handler asks for to be called only for those who may: [`Viewer`] or [`Admin`].

use std::ops::Deref;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage as _, HttpRequest, web};
use domain::ErrorCode;
use futures::FutureExt as _;
use futures::future::LocalBoxFuture;

use super::{Principal, Refusal, Role, Verifier};
use crate::http::ApiError;
use crate::metrics::Counter;

/// A caller who may read: an admin or a viewer.
#[derive(Clone, Debug)]
pub struct Viewer(pub Principal);

/// A caller who may do everything.
#[derive(Clone, Debug)]
pub struct Admin(pub Principal);

impl Deref for Viewer {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.0
    }
}

impl Deref for Admin {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.0
    }
}

impl FromRequest for Viewer {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        caller(request).map(|caller| caller.map(Self)).boxed_local()
    }
}

impl FromRequest for Admin {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = caller(request);
        async move { caller.await?.admin() }.boxed_local()
    }
}

impl Principal {
    /// This caller as one who may do everything.
    ///
    /// # Errors
    /// 403 for everybody else.
    pub fn admin(self) -> Result<Admin, ApiError> {
        match self.role {
            Role::Admin => Ok(Admin(self)),
            Role::Viewer => {
                Counter::AuthRefused.increment(&[("reason", "role")]);
                Err(forbidden())
            }
        }
    }
}

/// The one answer to whoever is known and may not.
pub(super) fn forbidden() -> ApiError {
    ApiError::new(ErrorCode::AuthFailed, "your role does not allow this").with_status(StatusCode::FORBIDDEN)
}

/// A layer around routes that are for known callers alone: 401 comes before anything else that could be said about a request.
///
/// actix asks all arguments of a handler at the same time and answers with the first that refuses. While keys are read for a token, that would be
/// a wrong parameter, told to whoever comes.
///
/// # Errors
/// What the routes within fail with.
pub async fn known_callers(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match caller(request.request()).await {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            Ok(next.call(request).await?.map_into_boxed_body())
        }
        Err(refused) => Ok(request.error_response(refused)),
    }
}

fn caller(request: &HttpRequest) -> impl Future<Output = Result<Principal, ApiError>> + use<> {
    let verifier = request.app_data::<web::Data<Verifier>>().cloned();
    let known = request.extensions().get::<Principal>().cloned();
    let token = bearer_token(request.headers()).map(str::to_owned);
    async move {
        if let Some(principal) = known {
            return Ok(principal);
        }
        let Some(verifier) = verifier else {
            return Err(ApiError::internal(anyhow::anyhow!("these routes were not given a verifier of tokens")));
        };
        Ok(verifier.verify(&token?).await?)
    }
}

/// The token of `Authorization: Bearer`, if there is just one.
///
/// # Errors
/// [`Refusal::Missing`]; [`Refusal::Malformed`] for two of them, of which each reader might take another.
pub fn bearer_token(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut given = headers.get_all(AUTHORIZATION);
    let value = given.next().ok_or(Refusal::Missing)?;
    if given.next().is_some() {
        return Err(Refusal::Malformed);
    }
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(Refusal::Missing)?;
    if scheme.eq_ignore_ascii_case("Bearer") { Ok(token.trim()) } else { Err(Refusal::Missing) }
}
