//! `If-Match`: a change that is only made to the configuration that its caller has seen.

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, EntityTag, HeaderMap, IfMatch};
use actix_web::{FromRequest, HttpRequest};
use domain::ErrorCode;
use futures::future::{Ready, ready};
use service::http::ApiError;

use super::Row;

/// What the caller has seen, if it says so.
#[derive(Clone, Debug, Default)]
pub struct Condition(Option<IfMatch>);

impl Condition {
    /// Compares it with the configuration that is there, if one is.
    ///
    /// # Errors
    /// 412: it has changed since.
    pub(super) fn check(&self, live: Option<&Row>) -> Result<(), ApiError> {
        let holds = match (&self.0, live) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(IfMatch::Any), Some(_)) => true,
            (Some(IfMatch::Items(seen)), Some(row)) => seen.iter().any(|seen| seen.strong_eq(&etag(row))),
        };
        if holds {
            return Ok(());
        }
        let message = "the configuration is not the one that If-Match names; read it again and decide anew";
        Err(ApiError::new(ErrorCode::ResourceConflict, message).with_status(StatusCode::PRECONDITION_FAILED))
    }
}

/// The tag of a configuration: its version, which every change raises and no observation does.
pub(crate) fn etag(row: &Row) -> EntityTag {
    EntityTag::new_strong(row.version.to_string())
}

impl FromRequest for Condition {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        if !request.headers().contains_key(header::IF_MATCH) {
            return ready(Ok(Self(None)));
        }
        ready(match parse(request.headers()) {
            Some(condition) => Ok(Self(Some(condition))),
            None => Err(ApiError::new(ErrorCode::ValidationError, "the headers can't be used; see details")
                .with_detail("If-Match", "must be an ETag of an answer, in quotation marks, or *")),
        })
    }
}

/// Reads it to the letter: actix passes over what is no tag, and then a slip of the pen would look like another's change.
fn parse(headers: &HeaderMap) -> Option<IfMatch> {
    let values: Option<Vec<&str>> = headers.get_all(header::IF_MATCH).map(|value| value.to_str().ok()).collect();
    let joined = values?.join(",");
    if joined.trim() == "*" {
        return Some(IfMatch::Any);
    }
    let tags: Option<Vec<EntityTag>> =
        joined.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(|tag| tag.parse().ok()).collect();
    tags.filter(|tags| !tags.is_empty()).map(IfMatch::Items)
}
