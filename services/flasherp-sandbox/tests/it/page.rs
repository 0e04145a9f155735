//! The page: served whole, and nothing in it that a strict policy forbids.

use crate::support::{Erp, answer};

#[tokio::test]
async fn the_page_works_under_its_own_policy() {
    let erp = Erp::start().await;
    let page = |path: &str| answer(erp.http.get(format!("{}{path}", erp.control.base)));
    let html = page("/").await.unwrap();
    assert_eq!((html.status, html.headers["content-type"].to_str().unwrap()), (200, "text/html; charset=utf-8"));
    let policy = html.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe") && !policy.contains("http"),
        "{policy}"
    );
    for forbidden in ["style=", "onclick=", "javascript:", "http:", "https:", "<style", "<script>"] {
        assert!(!html.text.contains(forbidden), "{forbidden}");
    }
    for (path, kind) in [("/sandbox.js", "text/javascript; charset=utf-8"), ("/sandbox.css", "text/css; charset=utf-8")]
    {
        assert!(html.text.contains(&format!("\"{path}\"")));
        let file = page(path).await.unwrap();
        assert_eq!((file.status, file.headers["content-type"].to_str().unwrap()), (200, kind));
        assert!(!file.text.contains("innerHTML") && !file.text.contains("http"));
    }
}

/// Every button says a call; each of them must be one that the control API takes.
#[tokio::test]
async fn every_button_does_something() {
    let erp = Erp::start().await;
    let html = answer(erp.http.get(format!("{}/", erp.control.base))).await.unwrap().text;
    let mut pressed = 0;
    for button in html.split("<button").skip(1) {
        let attribute = |name: &str, quote: char| {
            let (_, rest) = button.split_once(&format!("{name}={quote}"))?;
            Some(rest.split_once(quote)?.0.to_owned())
        };
        let (method, path) = (attribute("data-method", '"').unwrap(), attribute("data-path", '"').unwrap());
        let mut call = erp.http.request(method.parse().unwrap(), format!("{}/control{path}", erp.control.base));
        if let Some(body) = attribute("data-body", '\'') {
            call = call.header("content-type", "application/json").body(body);
        }
        let answer = answer(call).await.unwrap();
        assert!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.text);
        pressed += 1;
    }
    assert!(pressed > 20);
}

/// With node, whose script stands beside this file: the page's script runs, shows what the sandbox tells, and every button of it works.
#[tokio::test(flavor = "multi_thread")]
async fn the_pages_script_shows_what_there_is_and_its_buttons_are_taken() {
    let erp = Erp::start().await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/page.mjs");
    let node = tokio::process::Command::new("node").arg(script).arg(&erp.control.base).output().await;
    match node {
        Ok(ran) => assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr)),
        // To people: a test that was not run is no test that has passed.
        Err(error) => eprintln!("skipped: the page's script can't be run without node: {error}"),
    }
}

#[tokio::test]
async fn a_page_of_another_site_presses_no_button() {
    let erp = Erp::start().await;
    erp.customer("u-1").await;
    let reset = || erp.http.post(format!("{}/control/reset", erp.control.base));
    for other in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        answer(reset().header("origin", other)).await.unwrap().is_refused(403);
    }
    // Nor does one whose browser says no more than this.
    let image = erp.http.get(format!("{}/control/counters", erp.control.base)).header("sec-fetch-site", "cross-site");
    answer(image).await.unwrap().is_refused(403);
    assert_eq!(erp.records_of("customers").await, 1);
    let own = answer(reset().header("origin", erp.control.base.as_str())).await.unwrap();
    assert_eq!((own.status, erp.records_of("customers").await), (204, 0));
}
