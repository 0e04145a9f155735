//! The snapshot file: what survives a restart, a kill, and a file that is not whole.

use std::path::Path;

use flasherp_sandbox::Config;
use serde_json::{Value, json};
use testkit::sandbox::{WebhookSettings, WebhookTells};

use crate::support::{Erp, PATIENCE, config, invoice, subscription, transaction};

fn kept_in(file: &Path) -> Config {
    Config { snapshot_file: Some(file.to_owned()), ..config() }
}

async fn dump(erp: &Erp) -> Vec<Value> {
    let mut all = Vec::new();
    for of in ["customers", "transactions", "subscriptions", "invoices", "metrics"] {
        let url = format!("{}/control/records/{of}", erp.control.base);
        all.push(crate::support::answer(erp.http.get(url)).await.unwrap().json());
    }
    all
}

#[tokio::test]
async fn records_keys_and_webhooks_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("erp.jsonl");
    let erp = Erp::start_as(1, &kept_in(&file)).await;
    let tells =
        WebhookSettings { tells: WebhookTells::All, delay_ms: (3_600_000, 3_600_000), ..WebhookSettings::default() };
    erp.control.set_webhooks(&tells).await;
    let customer = erp.customer("u-1").await;
    let first = erp.post_with_key("/transactions", "k-1", &transaction(&customer, "t-1")).await;
    erp.post("/subscriptions", &subscription(&customer, "s-1")).await;
    erp.post("/invoices", &invoice(&customer, "i-1")).await;
    erp.post(
        "/metrics",
        &json!({
            "revenue": 1, "costs": 0, "profit": 1, "mrr": 0, "arr": 0, "currency": "USD", "period": "daily",
            "periodStart": "2026-01-01T00:00:00Z", "periodEnd": "2026-01-02T00:00:00Z",
        }),
    )
    .await;
    let before = dump(&erp).await;
    erp.stop().await;

    let erp = Erp::start_as(1, &kept_in(&file)).await;
    assert_eq!(dump(&erp).await, before);
    let again = erp.post_with_key("/transactions", "k-1", &transaction(&customer, "t-1")).await;
    assert_eq!(
        (again.status, &again.text, again.headers["idempotent-replayed"].to_str().unwrap()),
        (201, &first.text, "true")
    );
    assert_eq!(erp.control.webhooks().await.waiting, 1);
    let found = erp.get("/transactions?upcoachReference=t-1").await.json();
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
    let next = erp.post("/transactions", &transaction(&customer, "t-2")).await;
    assert!(next.id() > first.id(), "ids go on");
    erp.control.reset().await;
    erp.stop().await;
    let erp = Erp::start_as(1, &kept_in(&file)).await;
    assert_eq!(erp.records_of("customers").await, 0, "a reset is kept, too");
}

#[tokio::test]
async fn what_was_written_is_there_after_a_kill_which_leaves_no_stop() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("erp.jsonl");
    let erp = Erp::start_as(1, &kept_in(&file)).await;
    let customer = erp.customer("u-1").await;
    // Within a second, unasked.
    let is_kept = || async { std::fs::read_to_string(&file).is_ok_and(|text| text.contains("u-1")) };
    testkit::eventually(PATIENCE, "the file is written", is_kept).await;
    erp.post("/transactions", &transaction(&customer, "t-1")).await;
    erp.control.write_snapshot().await;
    // As the file would be found after a power cut: the sandbox that still runs has no part in it.
    let copy = dir.path().join("copy.jsonl");
    std::fs::copy(&file, &copy).unwrap();
    let second = Erp::start_as(1, &kept_in(&copy)).await;
    assert_eq!(dump(&second).await, dump(&erp).await);
}

#[tokio::test]
async fn a_file_that_is_not_whole_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("erp.jsonl");
    let erp = Erp::start_as(1, &kept_in(&file)).await;
    erp.customer("u-1").await;
    erp.stop().await;
    let whole = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    assert_eq!(lines.len(), 3);
    for broken in [
        lines[..2].join("\n"),
        [lines[0], lines[2]].join("\n"),
        lines[1..].join("\n"),
        whole[..whole.len() / 2].to_owned(),
        String::new(),
    ] {
        std::fs::write(&file, &broken).unwrap();
        let refused = flasherp_sandbox::start("127.0.0.1:0".parse().unwrap(), 1, &kept_in(&file));
        let error = format!("{:#}", refused.expect_err("it is not whole"));
        assert!(error.contains("is no snapshot"), "{error}: {broken}");
    }
}

#[tokio::test]
async fn without_a_file_there_is_nothing_to_write() {
    let erp = Erp::start().await;
    let call = erp.http.post(format!("{}/control/snapshot", erp.control.base));
    assert_eq!(crate::support::answer(call).await.unwrap().status, 409);
}
