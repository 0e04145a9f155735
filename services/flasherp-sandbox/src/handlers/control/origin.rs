//! Who may press the buttons: whoever is on this machine, and whoever else has the token, if there is one.
//!
//! On this machine nobody needs credentials, so a page of another site that a developer visits could send calls that a browser lets through. A browser
//! says where such a call comes from; only the sandbox's own page may make one. Programs send no `Origin` and are let in. A name may be made to lead here
//! by anybody, so the page must be open by address or as `localhost`. A proxy on this machine would speak for others: none belongs before it.

use std::net::SocketAddr;

use actix_web::{
    Error,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{self, HeaderMap, HeaderValue},
    },
    middleware::Next,
    web,
};
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

use crate::{api::bearer, handlers::errors::refused, sandbox::Sandbox};

/// Lets a call through that comes from this machine or shows the token, unless a browser says that it comes from another page.
pub(crate) async fn only_own(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    let token = request.app_data::<web::Data<Sandbox>>().and_then(|sandbox| sandbox.control_token.as_ref());
    if !is_near(request.peer_addr()) && !has_token(request.headers(), token) {
        let message = "the control API takes calls of this machine alone, and of whoever sends SANDBOX_CONTROL_TOKEN in Authorization: Bearer";
        return Ok(request.into_response(refused(StatusCode::FORBIDDEN, message)));
    }
    if is_own(request.headers()) {
        return next.call(request).await;
    }
    let message = "the control API takes no calls of other pages; open the sandbox by its address or as localhost";
    Ok(request.into_response(refused(StatusCode::FORBIDDEN, message)))
}

/// Whether the other end is on this machine.
fn is_near(peer: Option<SocketAddr>) -> bool {
    peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback())
}

fn has_token(headers: &HeaderMap, token: Option<&SecretString>) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
    given.zip(token).is_some_and(|(given, token)| given.ct_eq(token.expose_secret().as_bytes()).into())
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
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::{App, HttpResponse};
    use service::Binary;
    use service::settings::Env;

    use super::*;
    use crate::Config;

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

    /// The status for a caller at an address.
    async fn status(token: Option<&str>, peer: &str, sent: Option<&str>) -> u16 {
        let told = token.into_iter().map(|token| ("SANDBOX_CONTROL_TOKEN", token));
        let env = Env::from_pairs(Binary::Sandbox, told);
        let config = service::settings::read(env, Config::read).expect("good settings");
        let sandbox = web::Data::new(Sandbox::new(&config).expect("a sandbox"));
        let guarded = web::scope("/control")
            .wrap(actix_web::middleware::from_fn(only_own))
            .route("/reset", web::post().to(HttpResponse::Ok));
        let app = init_service(App::new().app_data(sandbox).service(guarded)).await;
        let request = TestRequest::post().uri("/control/reset").peer_addr(peer.parse().expect("an address"));
        let request = sent
            .into_iter()
            .fold(request, |request, sent| request.insert_header((header::AUTHORIZATION, format!("Bearer {sent}"))));
        call_service(&app, request.to_request()).await.status().as_u16()
    }

    #[actix_web::test]
    async fn from_elsewhere_nobody_is_let_in_without_the_token() {
        for near in ["127.0.0.1:4711", "127.8.8.8:1", "[::1]:4711", "[::ffff:127.0.0.1]:4711"] {
            assert_eq!(status(None, near, None).await, 200, "{near}");
            assert_eq!(status(Some("tok"), near, None).await, 200, "{near}");
        }
        for far in ["10.0.0.7:4711", "203.0.113.9:1", "[fe80::1]:4711", "[::ffff:10.0.0.7]:4711"] {
            for (token, sent) in
                [(None, None), (None, Some("tok")), (None, Some("")), (Some("tok"), None), (Some("tok"), Some("tok2"))]
            {
                assert_eq!(status(token, far, sent).await, 403, "{far} {token:?} {sent:?}");
            }
            assert_eq!(status(Some("tok"), far, Some("tok")).await, 200, "{far}");
        }
    }
}
