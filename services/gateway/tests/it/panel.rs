//! The panel's files, what of them may be kept, and what stands there without them.

use std::path::Path;

use reqwest::Response;
use testkit::eventually;

use crate::backend::Backend;
use crate::kit::{DEADLINE, Gateway, client, send, status};

fn build(folder: &Path, title: &str) {
    let assets = folder.join("assets");
    std::fs::create_dir_all(&assets).expect("a folder");
    std::fs::write(assets.join("index-D3c_9fQa.js"), "console.log(1)").expect("written");
    std::fs::write(assets.join("logo.svg"), "<svg/>").expect("written");
    std::fs::write(folder.join(".secret"), "hidden").expect("written");
    std::fs::write(folder.join("index.html"), format!("<!doctype html><title>{title}</title>")).expect("written");
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().expect("text"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hashed_files_are_kept_for_ever_and_the_page_is_asked_for_again() {
    let (backend, folder) = (Backend::start(), tempfile::tempdir().expect("a folder"));
    build(folder.path(), "one");
    let gateway = Gateway::with(&backend, &[("GATEWAY_PANEL_DIR", folder.path().to_str().expect("text"))]);
    let cases = [
        ("/", "no-cache", "text/html; charset=utf-8"),
        ("/index.html", "no-cache", "text/html; charset=utf-8"),
        ("/syncs/0193b7d2-7f5c-7000-8000-000000000001", "no-cache", "text/html; charset=utf-8"),
        ("/assets/index-D3c_9fQa.js", "public, max-age=31536000, immutable", "text/javascript; charset=utf-8"),
        ("/assets/logo.svg", "no-cache", "image/svg+xml"),
    ];
    for (path, caching, kind) in cases {
        let answer = send(gateway.request("GET", path)).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!((header(&answer, "cache-control"), header(&answer, "content-type")), (caching, kind), "{path}");
        assert!(header(&answer, "content-security-policy").contains("script-src 'self';"));
        let etag = header(&answer, "etag").to_owned();
        let again = send(gateway.request("GET", path).header("If-None-Match", &etag)).await;
        assert_eq!((again.status().as_u16(), header(&again, "etag")), (304, &*etag));
        let length = answer.bytes().await.expect("a body").len().to_string();
        let head = send(gateway.request("HEAD", path)).await;
        assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, &*length));
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_is_missing_and_what_is_hidden_is_not_there() {
    let (backend, folder) = (Backend::start(), tempfile::tempdir().expect("a folder"));
    let outside = tempfile::tempdir().expect("a folder");
    std::fs::write(outside.path().join("x.txt"), "outside").expect("written");
    build(folder.path(), "one");
    std::os::unix::fs::symlink(outside.path().join("x.txt"), folder.path().join("x.txt")).expect("linked");
    let gateway = Gateway::with(&backend, &[("GATEWAY_PANEL_DIR", folder.path().to_str().expect("text"))]);
    for path in ["/assets/index-old_hash.js", "/missing.css", "/.secret", "/x.txt", "/api", "/api/nowhere"] {
        assert_eq!(status(gateway.request("GET", path)).await, 404, "{path}");
    }
    assert_eq!(status(gateway.request("GET", "/deep/link").header("Accept", "application/json")).await, 404);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_panel_a_page_says_so_until_there_is_one() {
    let (backend, folder) = (Backend::start(), tempfile::tempdir().expect("a folder"));
    let there = folder.path().join("dist");
    let gateway = Gateway::with(&backend, &[("GATEWAY_PANEL_DIR", there.to_str().expect("text"))]);
    let answer = send(gateway.request("GET", "/")).await;
    assert_eq!((answer.status().as_u16(), header(&answer, "cache-control")), (404, "no-store"));
    assert!(answer.text().await.expect("text").contains("There is no panel here"));
    for title in ["one", "a second one"] {
        build(&there, title);
        let shown = || async {
            let page = client().get(gateway.url("/")).send().await.expect("an answer").text().await.expect("text");
            page.contains(title)
        };
        eventually(DEADLINE, "the new panel", shown).await;
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sign_in_page_has_no_inline_script_and_forgets_the_token_first() {
    let backend = Backend::start();
    let gateway = Gateway::before(&backend);
    let page = send(gateway.request("GET", "/sign-in")).await;
    assert!(header(&page, "content-security-policy").contains("script-src 'self'"));
    let page = page.text().await.expect("text");
    assert!(page.contains(r#"<script src="/sign-in.js" defer></script>"#), "{page}");
    assert!(!page.contains("onload") && page.matches("<script").count() == 1, "{page}");
    let script = send(gateway.request("GET", "/sign-in.js")).await;
    assert_eq!(header(&script, "content-type"), "text/javascript; charset=utf-8");
    let script = script.text().await.expect("text");
    let (forgets, asks) = (script.find("history.replaceState"), script.rfind("signIn(given)"));
    assert!(forgets.is_some() && forgets < asks, "{script}");
    assert_eq!(status(gateway.request("GET", "/sign-in.css")).await, 200);
    gateway.stop().await;
}
