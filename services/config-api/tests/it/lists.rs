//! The sync history and the audit log: what filters match, how they are paged, counted and exported.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use crate::api::{Answer, Api};
use crate::rows::{self, superuser};

fn ids(answer: &Answer) -> Vec<Uuid> {
    let rows = answer.json()["data"].as_array().cloned().unwrap_or_else(|| panic!("no data: {answer:?}"));
    rows.iter().map(|row| row["id"].as_str().and_then(|id| id.parse().ok()).expect("an id")).collect()
}

/// All ids that a list gives, page after page, by cursor or by number.
pub(crate) async fn all(api: &Api, path: &str, by_cursor: bool) -> Vec<Uuid> {
    let (mut found, mut page) = (Vec::new(), 1);
    let mut next = format!("{path}&limit=40");
    loop {
        let answer = api.get(&next).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        found.extend(ids(&answer));
        let pagination = answer.json()["pagination"].clone();
        assert_eq!(pagination["hasMore"], Value::Bool(!pagination["nextCursor"].is_null()));
        let Some(cursor) = pagination["nextCursor"].as_str() else { return found };
        page += 1;
        next = match by_cursor {
            true => format!("{path}&limit=40&cursor={cursor}"),
            false => format!("{path}&limit=40&page={page}"),
        };
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_filter_of_the_history_gives_just_its_rows_newest_attempt_first() {
    let api = Api::start().await;
    let pool = superuser(&api.database).await;
    rows::syncs(&pool, 400).await;
    let order = "ORDER BY coalesce(last_sync_attempt, created_at) DESC, id DESC";
    let source = rows::ids(&pool, "SELECT source_id AS id FROM sync.erp_syncs LIMIT 1").await[0];
    let from_to = "from=2026-10-31T23:58:20Z&to=2026-11-01T00:58:50%2B01:00";
    let cases: Vec<(String, String)> = [
        ("", "true"),
        ("status=failed", "sync_status = 'failed'"),
        ("status=pending", "sync_status = 'pending'"),
        ("sourceType=invoice", "source_type = 'invoice'"),
        ("sourceType=invoice&status=synced", "source_type = 'invoice' AND sync_status = 'synced'"),
        ("sourceSystem=flasherp", "source_system = 'flasherp'"),
        ("sourceSystem=upcoach&status=skipped", "source_system = 'upcoach' AND sync_status = 'skipped'"),
        ("errorCode=TIMEOUT", "error_code = 'TIMEOUT'"),
        ("errorCode=TIMEOUT&sourceType=subscription", "error_code = 'TIMEOUT' AND source_type = 'subscription'"),
        (from_to, "coalesce(last_sync_attempt, created_at) >= '2026-10-31T23:58:20Z' AND coalesce(last_sync_attempt, created_at) < '2026-10-31T23:58:50Z'"),
        ("errorCode=QUOTA_EXCEEDED", "false"),
    ]
    .into_iter()
    .map(|(query, condition)| (query.to_owned(), condition.to_owned()))
    .chain([(format!("sourceId={source}"), format!("source_id = '{source}'"))])
    .collect();
    for (query, condition) in cases {
        let statement = format!("SELECT id FROM sync.erp_syncs WHERE {condition} {order}");
        let expected: Vec<Uuid> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_all(&pool).await.expect("rows");
        let path = format!("/api/erp/sync-history?{query}");
        assert_eq!(all(&api, &path, false).await, expected, "{query} by page");
        assert_eq!(all(&api, &path, true).await, expected, "{query} by cursor");
        let first = api.get(&path).await.json();
        assert_eq!(first["pagination"]["total"], expected.len(), "{query}");
        assert_eq!(first["pagination"]["totalIsEstimate"], false, "{query}");
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_filter_of_the_audit_log_gives_just_its_rows_newest_first() {
    let api = Api::start().await;
    let pool = superuser(&api.database).await;
    rows::audit_rows(&pool, 300).await;
    let one: (String, Uuid) = sqlx::query_as("SELECT entity_id, request_id FROM audit.erp_audit_logs LIMIT 1")
        .fetch_one(&pool)
        .await
        .expect("a row");
    let cases = [
        (String::new(), "true".to_owned()),
        ("action=manual_sync".to_owned(), "action = 'manual_sync'".to_owned()),
        ("action=manual_sync&status=failed".to_owned(), "action = 'manual_sync' AND status = 'failed'".to_owned()),
        ("status=initiated".to_owned(), "status = 'initiated'".to_owned()),
        ("entityType=invoice".to_owned(), "entity_type = 'invoice'".to_owned()),
        (format!("entityId={}", one.0), format!("entity_id = '{}'", one.0)),
        (format!("requestId={}", one.1), format!("request_id = '{}'", one.1)),
        ("performedBy=ada".to_owned(), "performed_by = 'ada'".to_owned()),
        ("performedBy=%27%20OR%20%271%27=%271".to_owned(), "false".to_owned()),
    ];
    for (query, condition) in cases {
        let statement =
            format!("SELECT id FROM audit.erp_audit_logs WHERE {condition} ORDER BY created_at DESC, id DESC");
        let expected: Vec<Uuid> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_all(&pool).await.expect("rows");
        let path = format!("/api/erp/audit-logs?{query}");
        assert_eq!(all(&api, &path, false).await, expected, "{query} by page");
        assert_eq!(all(&api, &path, true).await, expected, "{query} by cursor");
    }
    // A caller's own request id, which is no UUID, is found as the caller wrote it.
    let named = service::http::RequestId::parse("order-4711").expect("an id");
    sqlx::query("INSERT INTO audit.erp_audit_logs (action, entity_type, status, request_id, ip_address) VALUES ('sync', 'batch', 'success', $1, '192.0.2.7')")
        .bind(named.uuid())
        .execute(&pool)
        .await
        .expect("a row");
    let found = api.get("/api/erp/audit-logs?requestId=order-4711").await.json();
    assert_eq!((found["pagination"]["total"].as_i64(), &found["data"][0]["ipAddress"]), (Some(1), &"192.0.2.7".into()));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn totals_are_exact_up_to_ten_thousand_and_said_to_be_estimates_above() {
    let api = Api::start().await;
    let pool = superuser(&api.database).await;
    rows::syncs(&pool, 12_000).await;
    rows::analyze(&pool).await;
    let pagination =
        async |query: &str| api.get(&format!("/api/erp/sync-history?{query}")).await.json()["pagination"].clone();
    let all = pagination("").await;
    assert_eq!(all["totalIsEstimate"], true);
    let total = all["total"].as_i64().expect("a number");
    assert!((10_001..=20_000).contains(&total), "{total}");
    let invoices = pagination("sourceType=invoice").await;
    assert_eq!((invoices["totalIsEstimate"].as_bool(), invoices["total"].as_i64()), (Some(false), Some(3_000)));
    let last = pagination("page=480").await;
    assert_eq!((last["hasMore"].as_bool(), last["page"].as_i64()), (Some(false), Some(480)));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_end_at_a_row_and_whoever_asks_for_one_beyond_is_sent_to_the_cursor() {
    let api = Api::start().await;
    for query in ["page=4000", "page=1000&limit=100", "page=100000&limit=1"] {
        let last = api.get(&format!("/api/erp/sync-history?{query}")).await;
        assert_eq!((last.status, ids(&last)), (200, Vec::new()), "{query}");
    }
    for (list, query) in [
        ("sync-history", "page=1001&limit=100"),
        ("sync-history", "page=4001"),
        ("sync-history", "page=1000000&limit=100"),
        ("sync-history", "page=1000000&limit=100&status=failed"),
        ("audit-logs", "page=4001"),
        ("webhooks", "page=4001"),
        ("batches", "page=4001"),
        ("reconciliations", "page=4001"),
        ("reconciliations/00000000-0000-0000-0000-000000000000/findings", "page=4001"),
    ] {
        let beyond = api.get(&format!("/api/erp/{list}?{query}")).await;
        assert_eq!((beyond.status, beyond.wrong_fields()), (400, vec!["page".to_owned()]), "{list}?{query}");
        let issue = beyond.json()["details"][0]["issue"].as_str().expect("an issue").to_owned();
        assert!(issue.contains("cursor") && issue.contains("filters"), "{issue}");
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_the_whole_list_with_formulas_as_text() {
    let api = Api::start().await;
    let pool = superuser(&api.database).await;
    // Three chunks, the last of them empty.
    rows::syncs(&pool, 2_000).await;
    rows::audit_rows(&pool, 10).await;
    let export = async |path: &str| Answer::of(api.request(Method::GET, path).header("accept", "text/csv")).await;

    let exported = export("/api/erp/sync-history").await;
    assert_eq!(exported.status, 200);
    assert!(exported.header("content-type").starts_with("text/csv"), "{}", exported.header("content-type"));
    assert!(exported.header("content-disposition").contains("sync-history.csv"));
    let mut lines = exported.text.lines();
    assert!(lines.next().is_some_and(|header| header.starts_with("id,sourceSystem,sourceType,sourceId,")));
    let found: Vec<Uuid> = lines.clone().map(|line| line[..36].parse().expect("an id")).collect();
    let expected = rows::ids(&pool, "SELECT id FROM sync.erp_syncs ORDER BY tried_at DESC, id DESC").await;
    assert_eq!(found, expected);
    assert_eq!(lines.filter(|line| line.contains(",\"'=1+")).count(), 40);

    let failed = export("/api/erp/sync-history?status=failed").await;
    assert_eq!(failed.text.lines().count(), 41);
    let audit = export("/api/erp/audit-logs?performedBy=nobody").await;
    assert_eq!((audit.status, audit.text.lines().count()), (200, 1));
    let paged = export("/api/erp/audit-logs?page=2").await;
    assert_eq!((paged.status, paged.wrong_fields()), (400, vec!["query".to_owned()]));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_shows_one_moment_although_rows_move_while_it_runs() {
    let api = Api::start().await;
    let pool = superuser(&api.database).await;
    rows::syncs(&pool, 30_000).await;
    let mut response =
        api.request(Method::GET, "/api/erp/sync-history").header("accept", "text/csv").send().await.expect("an answer");
    let mut text = response.chunk().await.expect("a chunk").expect("a beginning").to_vec();
    // What is still to come is tried anew, and would stand before what has gone out already.
    sqlx::query("UPDATE sync.erp_syncs SET last_sync_attempt = now() WHERE tried_at < '2026-10-31T18:00:00Z'")
        .execute(&pool)
        .await
        .expect("updated");
    while let Some(chunk) = response.chunk().await.expect("the next chunk") {
        text.extend_from_slice(&chunk);
    }
    let text = String::from_utf8(text).expect("text");
    let found: BTreeSet<&str> = text.lines().skip(1).map(|line| &line[..36]).collect();
    assert_eq!(found.len(), 30_000);
    api.stop().await;
}
