//! The page that makes a session of a link: `/sign-in#token=...`. What stands behind `#` is sent to no server and so is in no log; the
//! page's script exchanges it and forgets it. Without a token the page asks for one.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// The page.
pub(crate) async fn page() -> HttpResponse {
    let mut answer = file("text/html; charset=utf-8", include_str!("../../static/sign-in.html"));
    if let Ok(policy) = POLICY.parse() {
        answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    answer
}

/// Its script.
pub(crate) async fn script() -> HttpResponse {
    file("text/javascript; charset=utf-8", include_str!("../../static/sign-in.js"))
}

/// Its style.
pub(crate) async fn style() -> HttpResponse {
    file("text/css; charset=utf-8", include_str!("../../static/sign-in.css"))
}

fn file(kind: &'static str, content: &'static str) -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, kind)).insert_header((CACHE_CONTROL, "no-cache")).body(content)
}
