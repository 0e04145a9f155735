//! What is refused beside what `bad_input` makes from the description: several fields at once, all of them named, and times at the ends of what can be
//! written.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::api::{Answer, Api};

/// Whether it is a 400 that names just these fields.
fn names(answer: &Answer, fields: &[&str]) -> bool {
    let named: BTreeSet<String> = answer.wrong_fields().into_iter().collect();
    let expected = fields.iter().map(ToString::to_string).collect();
    (answer.status, answer.json()["code"].as_str()) == (400, Some("VALIDATION_ERROR")) && named == expected
}

fn bodies() -> [(&'static str, Value, &'static [&'static str]); 6] {
    [
        ("sync/full", json!({"entityTypes": [], "force": "yes", "x": 1}), &["entityTypes", "force", "x"]),
        ("syncs/retry", json!({"status": "failed' OR 1=1", "dryRun": 1}), &["status", "dryRun"]),
        // An hour before the first one that can be kept.
        ("syncs/retry", json!({"from": "0001-01-01T00:00:00+01:00"}), &["from"]),
        ("webhooks/replay", json!({"since": 0, "id": 1}), &["since", "id"]),
        ("pause", json!({"reason": "", "note": "x"}), &["reason", "note"]),
        ("sync/reconcile", json!({"cutoffSeconds": -1, "autoHeal": 1, "x": {}}), &["cutoffSeconds", "autoHeal", "x"]),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_is_wrong_is_told_at_once() {
    let api = Api::start().await;
    for list in ["sync-history", "audit-logs", "batches", "webhooks", "reconciliations"] {
        let answer = api.get(&format!("/api/erp/{list}?nope=1&page=x&limit=0&status=all")).await;
        assert!(names(&answer, &["nope", "page", "limit", "status"]), "{list}: {answer:?}");
    }
    let answer =
        api.get("/api/erp/sync-history?errorCode=NOPE&sourceType=user&from=yesterday&to=99999-01-01T00:00:00Z").await;
    assert!(names(&answer, &["sourceType", "errorCode", "from", "to"]), "{answer:?}");
    for (path, body, fields) in bodies() {
        let answer = api.post(&format!("/api/erp/{path}"), &body).await;
        assert!(names(&answer, fields), "{path} {body}: {answer:?}");
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ends_of_time_are_far_but_they_can_be_written() {
    let api = Api::start().await;
    let bounds = json!({"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59.999Z"});
    assert_eq!(api.post("/api/erp/syncs/retry", &bounds).await.status, 200);
    let last = json!({"since": "9999-12-31T23:59:59.999Z"});
    assert_eq!(api.post("/api/erp/webhooks/replay", &last).await.status, 200);
    let query = "from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59.999Z";
    for list in ["sync-history", "audit-logs", "webhooks"] {
        assert_eq!(api.get(&format!("/api/erp/{list}?{query}")).await.status, 200, "{list}");
    }
    api.stop().await;
}
