//! What is refused: every endpoint with parameters and bodies that nobody could mean, named field by field, and never a fault of ours.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{Answer, Api};

const ID: &str = "00000000-0000-4000-8000-000000000001";
const INJECTION: &str = "failed%27%20OR%20%271%27%3D%271";

/// The fields that an answer names.
fn named(answer: &Answer) -> BTreeSet<String> {
    answer.wrong_fields().into_iter().collect()
}

/// What is asked, and the fields that are named.
fn queries() -> Vec<(String, Vec<&'static str>)> {
    let lists = ["sync-history", "audit-logs", "batches", "webhooks"];
    let common = lists.iter().flat_map(|list| {
        [
            ("page=0", vec!["page"]),
            ("page=99999999999999999999", vec!["page"]),
            ("page=1;DROP%20TABLE%20x", vec!["page"]),
            ("limit=101", vec!["limit"]),
            ("limit=-1", vec!["limit"]),
            ("cursor=%27%20OR%201=1", vec!["cursor"]),
            ("sort=created_at;DROP%20TABLE%20x", vec!["sort"]),
            ("status=failed&status=synced", vec!["status"]),
            ("nope=1&page=x", vec!["page", "nope"]),
        ]
        .map(|(query, fields)| (format!("/api/erp/{list}?{query}"), fields))
    });
    let own = [
        (format!("sync-history?status={INJECTION}"), vec!["status"]),
        ("sync-history?status=".to_owned(), vec!["status"]),
        ("sync-history?status=FAILED".to_owned(), vec!["status"]),
        ("sync-history?sourceId=1".to_owned(), vec!["sourceId"]),
        ("sync-history?errorCode=NOPE&sourceType=user".to_owned(), vec!["sourceType", "errorCode"]),
        ("sync-history?from=yesterday&to=99999-01-01T00:00:00Z".to_owned(), vec!["from", "to"]),
        ("sync-history?sourceId=%00".to_owned(), vec!["sourceId"]),
        (format!("audit-logs?action={INJECTION}"), vec!["action"]),
        ("audit-logs?requestId=a%20b".to_owned(), vec!["requestId"]),
        ("audit-logs?performedBy=%00".to_owned(), vec!["performedBy"]),
        (format!("audit-logs?entityId={}", "x".repeat(256)), vec!["entityId"]),
        ("webhooks?source=paypal".to_owned(), vec!["source"]),
        ("batches?kind=nope".to_owned(), vec!["kind"]),
        ("metrics?window=1".to_owned(), vec!["window"]),
        ("exposure?currency=usd".to_owned(), vec!["currency"]),
        ("error-groups?limit=1000".to_owned(), vec!["limit"]),
        ("timeline".to_owned(), vec!["q"]),
        ("timeline?q=%00".to_owned(), vec!["q"]),
        (format!("timeline?q={}", "x".repeat(256)), vec!["q"]),
        (format!("syncs/{ID}?x=1"), vec!["x"]),
        ("syncs/1".to_owned(), vec!["path"]),
        ("batches/1".to_owned(), vec!["path"]),
        ("webhooks/1".to_owned(), vec!["path"]),
        (format!("preview/users/{ID}"), vec!["path"]),
    ];
    common.chain(own.map(|(query, fields)| (format!("/api/erp/{query}"), fields))).collect()
}

fn bodies() -> Vec<(String, Value, Vec<&'static str>)> {
    let group = "error-groups/0123456789abcdef0123456789abcdef";
    [
        ("sync/full".to_owned(), json!({"entityTypes": ["user"]}), vec!["entityTypes"]),
        ("sync/full".to_owned(), json!({"entityTypes": [], "force": "yes", "x": 1}), vec!["entityTypes", "force", "x"]),
        ("sync/full".to_owned(), json!([]), vec!["body"]),
        ("syncs/retry".to_owned(), json!({"ids": ["1"]}), vec!["ids"]),
        ("syncs/retry".to_owned(), json!({"ids": [ID, ID]}), vec!["ids"]),
        ("syncs/retry".to_owned(), json!({"status": "failed' OR 1=1", "dryRun": 1}), vec!["status", "dryRun"]),
        ("syncs/retry".to_owned(), json!({"from": "0001-01-01T00:00:00+01:00"}), vec!["from"]),
        ("syncs/skip".to_owned(), json!({"reason": ""}), vec!["reason"]),
        ("syncs/skip".to_owned(), json!({"reason": "\u{0}"}), vec!["reason"]),
        (format!("skip/{ID}"), json!({"reason": 1}), vec!["reason"]),
        (format!("skip/{ID}"), json!({"reason": null}), vec!["reason"]),
        (format!("retry/{ID}"), json!({"force": true}), vec!["force"]),
        ("retry/1".to_owned(), json!({}), vec!["path"]),
        (format!("sync/customer/{ID}"), json!({"wait": 1}), vec!["wait"]),
        (format!("sync/customer/{ID}?wait=-1"), json!({}), vec!["wait"]),
        ("webhooks/replay".to_owned(), json!({"since": 0}), vec!["since"]),
        ("webhooks/replay".to_owned(), json!({"since": "2026-01-01T00:00:00Z", "id": 1}), vec!["id"]),
        (format!("{group}/retry"), json!({"note": "x"}), vec!["note"]),
        (format!("{group}/acknowledge"), json!({"note": ["x"]}), vec!["note"]),
        ("error-groups/nope/skip".to_owned(), json!({}), vec!["fingerprint"]),
    ]
    .map(|(path, body, fields)| (format!("/api/erp/{path}"), body, fields))
    .into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_could_mean_is_refused_and_every_field_of_it_is_named() {
    let api = Api::start().await;
    for (path, fields) in queries() {
        let answer = api.get(&path).await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (400, Some("VALIDATION_ERROR")),
            "{path}: {answer:?}"
        );
        assert_eq!(named(&answer), fields.into_iter().map(str::to_owned).collect(), "{path}");
    }
    for (path, body, fields) in bodies() {
        let answer = api.post(&path, &body).await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (400, Some("VALIDATION_ERROR")),
            "{path} {body}: {answer:?}"
        );
        assert_eq!(named(&answer), fields.into_iter().map(str::to_owned).collect(), "{path} {body}");
    }
    // The ends of time are far, but they can be written.
    let bounds = json!({"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59.999Z"});
    assert_eq!(api.post("/api/erp/syncs/retry", &bounds).await.status, 200);
    let last = json!({"since": "9999-12-31T23:59:59.999Z"});
    assert_eq!(api.post("/api/erp/webhooks/replay", &last).await.status, 200);
    let query = "from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59.999Z";
    for list in ["sync-history", "audit-logs", "webhooks"] {
        assert_eq!(api.get(&format!("/api/erp/{list}?{query}")).await.status, 200, "{list}");
    }
    let deep = "[".repeat(100_000);
    for raw in [&b"{\"reason\": \"a\", \"reason\": \"b\"}"[..], deep.as_bytes(), b"{", b"\xff"] {
        let request = api
            .request(Method::POST, "/api/erp/syncs/skip")
            .header("content-type", "application/json")
            .body(raw.to_vec());
        assert_eq!(Answer::of(request).await.status, 400);
    }
    let large = vec![b' '; (1 << 20) + 1];
    let request =
        api.request(Method::POST, "/api/erp/syncs/skip").header("content-type", "application/json").body(large);
    assert_eq!(Answer::of(request).await.status, 413);
    api.stop().await;
}
