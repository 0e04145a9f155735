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
