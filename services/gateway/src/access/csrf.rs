//! Proof that a request which a cookie lets in was meant: a header with what only a page that may read our answers can know.
//!
//! The value is a hash of the session's token, so that there is no second cookie to set or to keep: `GET /api/auth/session` tells it to our
//! own page, and who has the hash does not have the token.

use actix_web::http::header::HeaderMap;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The header.
pub(super) const X_CSRF_TOKEN: &str = "x-csrf-token";

/// What the header has to say: 64 hexadecimal digits.
pub(crate) fn csrf_token(session_token: &str) -> String {
    hex::encode(Sha256::new().chain_update("erp gateway csrf 1\0").chain_update(session_token).finalize())
}

/// Whether the request says it.
pub(super) fn is_meant(headers: &HeaderMap, session_token: &str) -> bool {
    let Some(given) = headers.get(X_CSRF_TOKEN) else { return false };
    given.as_bytes().ct_eq(csrf_token(session_token).as_bytes()).into()
}
