//! What is no API: the panel's files, its one page for every address within it, and a page that says so where there is no panel.

use actix_web::http::Method;
use actix_web::http::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH,
};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::Gateway;
use crate::panel::{Asset, NoPanel};

/// No inline script and nothing from elsewhere. Styles alone may be inline: the panel's component library writes them into the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const NO_PANEL: &str = include_str!("../../static/no-panel.html");

/// The default handler.
pub(crate) async fn file(request: HttpRequest, gateway: web::Data<Gateway>) -> HttpResponse {
    let path = request.uri().path();
    // The server's outermost layer gives these the body of every error.
    if path == "/api" || path.starts_with("/api/") {
        return HttpResponse::NotFound().finish();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return HttpResponse::MethodNotAllowed().insert_header((ALLOW, "GET, HEAD")).finish();
    }
    let files = match gateway.panel.files().await {
        Ok(files) => files,
        Err(NoPanel) if path == "/" || wants_page(path, request.headers()) => return no_panel(),
        Err(NoPanel) => return HttpResponse::NotFound().finish(),
    };
    let asset =
        files.get(path).or_else(|| if wants_page(path, request.headers()) { files.get("/index.html") } else { None });
    match asset {
        Some(asset) => serve(asset, request.headers()),
        None => HttpResponse::NotFound().finish(),
    }
}

/// An address within the panel, which its one page knows what to do with; not a file that is missing.
fn wants_page(path: &str, headers: &HeaderMap) -> bool {
    let names_a_file = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
    let takes_html = headers
        .get(ACCEPT)
        .is_none_or(|value| value.to_str().is_ok_and(|value| value.contains("text/html") || value.contains("*/*")));
    takes_html && !names_a_file
}

fn serve(asset: &Asset, headers: &HeaderMap) -> HttpResponse {
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_known =
        known.is_some_and(|known| known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == asset.etag));
    let mut answer = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    let caching = if asset.is_immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    answer
        .insert_header((CACHE_CONTROL, caching))
        .insert_header((ETAG, asset.etag.as_str()))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY));
    if is_known {
        return answer.finish();
    }
    answer.insert_header((CONTENT_TYPE, asset.kind.as_str())).body(asset.content.clone())
}

fn no_panel() -> HttpResponse {
    HttpResponse::NotFound()
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(NO_PANEL)
}
