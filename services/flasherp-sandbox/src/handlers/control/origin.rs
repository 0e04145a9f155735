//! Who may press the buttons: the control API has no credentials, so a page of another site that a developer visits could send it calls that
//! a browser lets through. A browser says where such a call comes from; only the sandbox's own page may make one.
//!
//! Programs send no `Origin` and are let in. A name may be made to lead here by anybody, so the page must be open by address or as `localhost`.

use actix_web::{
    Error,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{self, HeaderMap, HeaderValue},
    },
    middleware::Next,
};

use crate::handlers::errors::refused;

/// Lets a call through unless a browser says that it comes from another page.
pub(crate) async fn only_own(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    if is_own(request.headers()) {
        return next.call(request).await;
    }
    let message = "the control API takes no calls of other pages; open the sandbox by its address or as localhost";
    Ok(request.into_response(refused(StatusCode::FORBIDDEN, message)))
}

fn is_own(headers: &HeaderMap) -> bool {
    let text = |value: &HeaderValue| value.to_str().map(str::to_owned).unwrap_or_default();
    // A navigation or an image of another page has no Origin, but says this.
    let site = headers.get("sec-fetch-site").map(text);
    if site.is_some_and(|site| site == "cross-site" || site == "same-site") {
        return false;
    }
    let Some(origin) = headers.get(header::ORIGIN).map(text) else { return true };
    let host = headers.get(header::HOST).map(text).unwrap_or_default();
    origin.split_once("://").is_some_and(|(_, authority)| authority == host) && is_unmistakable(&host)
}

/// Whether nobody else can make this host lead here.
fn is_unmistakable(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || address.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderName;

    use super::*;

    fn is_own_with(given: &[(&'static str, &'static str)]) -> bool {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        is_own(&given.iter().map(pair).collect())
    }

    #[test]
    fn a_program_and_the_own_page_are_let_in_and_no_other_page() {
        for host in ["127.0.0.1:8084", "localhost:8084", "[::1]:8084", "10.0.0.7"] {
            assert!(is_own_with(&[("host", host)]), "{host}");
            let origin: &'static str = format!("http://{host}").leak();
            assert!(is_own_with(&[("host", host), ("origin", origin), ("sec-fetch-site", "same-origin")]), "{host}");
            for other in ["http://evil.example", "null", "http://127.0.0.1:9999", ""] {
                assert!(!is_own_with(&[("host", host), ("origin", other)]), "{host} from {other}");
            }
            assert!(!is_own_with(&[("host", host), ("sec-fetch-site", "cross-site")]), "{host}");
        }
        assert!(!is_own_with(&[("host", "evil.example:8084"), ("origin", "http://evil.example:8084")]), "rebound");
    }
}
