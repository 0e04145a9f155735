//! The page: what the sandbox holds, and buttons for what it can be told. Everything comes from here, nothing is inline, so that it works
//! under the strictest policy.

use actix_web::{HttpResponse, http::header};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /`
pub(crate) async fn index() -> HttpResponse {
    file("text/html; charset=utf-8", include_str!("../page/index.html"))
}

/// `GET /sandbox.js`
pub(crate) async fn script() -> HttpResponse {
    file("text/javascript; charset=utf-8", include_str!("../page/sandbox.js"))
}

/// `GET /sandbox.css`
pub(crate) async fn style() -> HttpResponse {
    file("text/css; charset=utf-8", include_str!("../page/sandbox.css"))
}

fn file(content_type: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(content_type)
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(text)
}
