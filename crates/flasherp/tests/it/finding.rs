//! Lists and look-ups.

use domain::{EntityType, ErrorCode, FlashErpId};
use flasherp::{Capabilities, HealthStatus, ListQuery};
use time::macros::datetime;
use wiremock::{
    Mock, MockServer,
    matchers::{method, path, query_param, query_param_is_missing},
};

use crate::support::*;

const OURS: &str = "0189d7c2-0f4b-7a31-9c55-6d2f6f0f7d22";

fn record(id: &str, minute: u8, reference: &str) -> String {
    format!(
        r#"{{"id":"{id}","createdAt":"2026-11-24T09:{minute:02}:00Z","updatedAt":"2026-11-24T10:00:00Z","upcoachReference":"{reference}"}}"#
    )
}

fn page(records: &[String], next: Option<&str>) -> wiremock::ResponseTemplate {
    let next = next.map_or_else(|| "null".to_owned(), |cursor| format!("\"{cursor}\""));
    json(200, &format!(r#"{{"data":[{}],"nextCursor":{next}}}"#, records.join(",")))
}

#[tokio::test]
async fn a_look_up_reads_all_pages_takes_exact_matches_only_and_puts_the_oldest_first() {
    let server = MockServer::start().await;
    let transactions =
        || Mock::given(method("GET")).and(path("/transactions")).and(query_param("upcoachReference", OURS));
    transactions()
        .and(query_param_is_missing("cursor"))
        .respond_with(page(&[record("b", 5, OURS), record("x", 1, "another")], Some("c/1 +&")))
        .mount(&server)
        .await;
    transactions()
        .and(query_param("cursor", "c/1 +&"))
        .respond_with(page(&[record("c", 5, OURS), record("a", 2, OURS)], None))
        .mount(&server)
        .await;
    let found = client(&server.uri()).find_by_reference(&call(), EntityType::Transaction, OURS).await.expect("found");
    let ids: Vec<&str> = found.iter().map(|record| record.id.as_str()).collect();
    assert_eq!(ids, ["a", "b", "c"]);
    assert_eq!(requests(&server).await, 2);
}

#[tokio::test]
async fn nothing_there_is_an_empty_answer_and_not_an_error() {
    let server = always(page(&[], None)).await;
    let found = client(&server.uri()).find_by_reference(&call(), EntityType::Customer, OURS).await.expect("looked up");
    assert!(found.is_empty());
}

#[tokio::test]
async fn a_look_up_that_cannot_be_read_whole_finds_no_nothing() {
    for answer in [
        json(200, r#"{"data":[{"id":"a"}],"nextCursor":null}"#),
        json(200, r#"{"data":null,"nextCursor":null}"#),
        json(200, "[]"),
        html(200),
        html(404),
        own_error(404, "RESOURCE_NOT_FOUND"),
    ] {
        let server = always(answer).await;
        client(&server.uri())
            .find_by_reference(&call(), EntityType::Transaction, OURS)
            .await
            .expect_err("it must not be taken for nothing");
    }
}

#[tokio::test]
async fn pages_that_go_round_in_circles_end() {
    let server = always(page(&[record("a", 1, OURS)], Some("same"))).await;
    let error =
        client(&server.uri()).find_by_reference(&call(), EntityType::Transaction, OURS).await.expect_err("it must end");
    assert_eq!((error.code, requests(&server).await), (ErrorCode::UnknownError, 2));
}

#[tokio::test]
async fn a_list_is_asked_for_with_its_window_and_paged_by_cursor() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/v1/invoices"))
        .and(query_param("updatedSince", "2026-11-24T09:00:00.000Z"))
        .and(query_param("createdFrom", "2026-11-01T00:00:00.000Z"))
        .and(query_param("createdTo", "2026-12-01T00:00:00.000Z"))
        .and(query_param("limit", "500"))
        .and(query_param("cursor", "c1"))
        .respond_with(page(&[record("a", 1, OURS)], Some("c2")))
        .expect(1)
        .mount(&server)
        .await;
    let query = ListQuery {
        reference: None,
        updated_since: Some(datetime!(2026-11-24 10:00 +1)),
        created_from: Some(datetime!(2026-11-01 0:00 UTC)),
        created_to: Some(datetime!(2026-12-01 0:00 UTC)),
        limit: Some(9_999),
    };
    let base = format!("{}/v1/", server.uri());
    let page = client(&base).list(&call(), EntityType::Invoice, &query, Some("c1")).await.expect("a page");
    assert_eq!((page.records.len(), page.next_cursor.as_deref()), (1, Some("c2")));
}

#[tokio::test]
async fn an_id_stays_one_segment_of_the_path_whatever_is_in_it() {
    let server = always(json(200, RECORD)).await;
    let id = FlashErpId::new("../a/b?c#d%2f ü").expect("a fitting id");
    client(&server.uri()).get(&call(), EntityType::Customer, &id).await.expect("a record");
    let received = server.received_requests().await.expect("requests are recorded");
    assert_eq!(received[0].url.path(), "/customers/..%2Fa%2Fb%3Fc%23d%252f%20%C3%BC");
    assert_eq!(received[0].url.query(), None);
}

#[tokio::test]
async fn health_tells_what_flasherp_can_do() {
    let server =
        always(json(200, r#"{"status":"degraded","version":"9","capabilities":["idempotency-key","time-travel"]}"#))
            .await;
    let health = client(&server.uri()).health(&call()).await.expect("healthy");
    assert_eq!((health.status, health.version.as_deref()), (HealthStatus::Degraded, Some("9")));
    assert_eq!(health.capabilities, Capabilities { idempotency_key: true, ..Capabilities::default() });

    let server = always(json(200, r#"{"status":"ok"}"#)).await;
    let health = client(&server.uri()).health(&call()).await.expect("healthy");
    assert_eq!(health.capabilities, Capabilities::default());
}

#[tokio::test]
async fn reports_have_no_records() {
    let server = always(json(200, RECORD)).await;
    let id = FlashErpId::new("1").expect("a fitting id");
    let error = client(&server.uri()).get(&call(), EntityType::FinancialReport, &id).await.expect_err("there are none");
    assert!(error.definite && !error.sent);
    assert_eq!(requests(&server).await, 0);
}
