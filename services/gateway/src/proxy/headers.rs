//! Which headers pass. To the backends go those that are named here and no others, so that nothing a caller makes up can look as if the
//! gateway had said it (who calls, from where, over which hops); back comes everything but what belongs to one connection or to the gateway.

use std::net::IpAddr;

use actix_web::http::header::HeaderMap as ClientHeaders;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap,
    HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, RANGE, USER_AGENT,
};
use service::http::RequestId;

/// From the caller, as they are.
const TAKEN: [HeaderName; 18] = [
    ACCEPT,
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    CACHE_CONTROL,
    CONTENT_ENCODING,
    CONTENT_TYPE,
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    RANGE,
    USER_AGENT,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("traceparent"),
    // Of webhooks.
    HeaderName::from_static("stripe-signature"),
    HeaderName::from_static("x-flasherp-signature"),
    HeaderName::from_static("x-flasherp-timestamp"),
];

/// Of an answer's headers, those that stay here: of the connection to the backend, or not for a backend to say.
const KEPT: [&str; 14] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "server",
    "date",
    "set-cookie",
    "strict-transport-security",
    "x-request-id",
];

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a backend is sent: the caller's headers that pass, the token that was checked, and what the gateway knows of the caller.
pub(crate) fn for_backend(
    given: &ClientHeaders,
    token: Option<&str>,
    client: IpAddr,
    request_id: &RequestId,
) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(TAKEN.len());
    for name in &TAKEN {
        for value in given.get_all(name.as_str()) {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                headers.append(name, value);
            }
        }
    }
    let mut say = |name: HeaderName, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    };
    say(X_FORWARDED_FOR, &client.to_string());
    say(X_REQUEST_ID, request_id.as_str());
    if let Some(token) = token {
        say(AUTHORIZATION, &format!("Bearer {token}"));
    }
    headers
}

/// Whether a backend's header goes back to the caller.
pub(super) fn comes_back(name: &str, all: &HeaderMap) -> bool {
    let named_by_connection = || {
        all.get_all("connection")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|token| token.trim().eq_ignore_ascii_case(name))
    };
    !KEPT.contains(&name) && !name.starts_with("access-control-") && !named_by_connection()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_one_connection_or_not_for_a_backend_to_say_stays_here() {
        let mut answer = HeaderMap::new();
        answer.append("connection", HeaderValue::from_static("close, X-Hop"));
        answer.append("connection", HeaderValue::from_static("x-other"));
        for name in ["connection", "x-hop", "x-other", "transfer-encoding", "set-cookie", "access-control-allow-origin"]
        {
            assert!(!comes_back(name, &answer), "{name}");
        }
        for name in ["content-type", "etag", "location", "retry-after", "content-security-policy", "x-hopper"] {
            assert!(comes_back(name, &answer), "{name}");
        }
    }
}
