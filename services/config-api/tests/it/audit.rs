//! The check of the audit log, over HTTP.

use serde_json::json;
use testkit::eventually;

use crate::api::Api;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_chain_is_checked_and_a_changed_row_is_named() {
    let api = Api::start().await;
    let pool = api.pool().await;
    let none = api.get("/api/erp/audit/verify").await.json();
    assert_eq!((&none["intact"], &none["head"], &none["lastSeal"]), (&json!(true), &json!(null), &json!(0)));
    sqlx::query("INSERT INTO audit.erp_audit_logs (action, entity_type, status) SELECT 'sync', 'x', 'success' FROM generate_series(1, 3)")
        .execute(&pool)
        .await
        .expect("rows");
    eventually(std::time::Duration::from_secs(60), "a seal", || async {
        let mut transaction = pool.begin().await.expect("a transaction");
        let made = audit::seal_next(&mut transaction, 100).await.expect("sealed").is_some();
        transaction.commit().await.expect("committed");
        made
    })
    .await;
    let whole = api.get("/api/erp/audit/verify").await.json();
    let head = whole["head"].as_str().expect("a head").to_owned();
    assert_eq!((&whole["intact"], &whole["seals"], &whole["problem"]), (&json!(true), &json!(1), &json!(null)));
    assert_eq!(api.get(&format!("/api/erp/audit/verify?head=1:{head}&rows=0")).await.json()["intact"], true);
    let cut = api.get(&format!("/api/erp/audit/verify?head=2:{head}")).await.json();
    assert_eq!((&cut["intact"], &cut["problem"]), (&json!(false), &json!({"kind": "tail_cut", "seal": 2, "last": 1})));
    assert_eq!(api.get("/api/erp/audit/verify?head=x&rows=-1").await.wrong_fields(), ["rows", "head"]);

    let mut superuser = pool.acquire().await.expect("a connection");
    sqlx::raw_sql(
        "ALTER TABLE audit.erp_audit_logs DISABLE TRIGGER append_only;
         UPDATE audit.erp_audit_logs SET performed_by = 'mallory' WHERE entity_type = 'x'",
    )
    .execute(&mut *superuser)
    .await
    .expect("who owns the database can");
    let changed = api.get("/api/erp/audit/verify").await.json();
    assert_eq!((&changed["intact"], &changed["problem"]["kind"]), (&json!(false), &json!("row_changed")));
    assert!(changed["unprotected"].as_array().is_some_and(|missing| !missing.is_empty()));
    api.stop().await;
}
