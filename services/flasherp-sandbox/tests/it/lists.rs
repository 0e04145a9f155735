//! Lists: filters, order, pages.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::{Erp, customer};

fn references(page: &Value) -> Vec<String> {
    let records = page["data"].as_array().unwrap();
    records.iter().map(|record| record["upcoachReference"].as_str().unwrap().to_owned()).collect()
}

async fn all_pages(erp: &Erp, query: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = erp.get(&format!("/customers?{query}{cursor}")).await.json();
        pages.push(references(&page));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return pages,
        }
    }
}

#[tokio::test]
async fn a_list_is_in_order_and_pages_end_with_null() {
    let erp = Erp::start().await;
    assert_eq!(erp.get("/customers").await.text, r#"{"data":[],"nextCursor":null}"#);
    for n in 0..10 {
        erp.customer(&format!("u-{n}")).await;
    }
    let expected: Vec<String> = (0..10).map(|n| format!("u-{n}")).collect();
    for (limit, pages) in [(3, 4), (5, 2), (10, 1), (500, 1)] {
        let got = all_pages(&erp, &format!("limit={limit}")).await;
        assert_eq!((got.len(), got.concat()), (pages, expected.clone()), "limit {limit}");
    }
}

#[tokio::test]
async fn a_page_has_100_records_unless_told_otherwise() {
    let erp = Erp::start().await;
    for n in 0..101 {
        erp.customer(&format!("u-{n}")).await;
    }
    let page = erp.get("/customers").await.json();
    assert_eq!(references(&page).len(), 100);
    assert!(page["nextCursor"].is_string());
}

#[tokio::test]
async fn paging_never_skips_or_doubles_while_records_change_and_come() {
    let erp = Erp::start().await;
    let mut ids = Vec::new();
    for n in 0..60 {
        ids.push(erp.customer(&format!("u-{n}")).await);
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    for round in 0.. {
        let page = erp.get(&format!("/customers?limit=7{cursor}")).await.json();
        seen.extend(references(&page));
        // Between two pages: one seen record and one unseen record change, and a new one comes.
        for id in [ids.first().unwrap(), ids.get(50).unwrap()] {
            assert_eq!(
                erp.put(&format!("/customers/{id}"), &json!({ "name": format!("Round {round}") })).await.status,
                200
            );
        }
        if round < 5 {
            erp.customer(&format!("new-{round}")).await;
        }
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let distinct: HashSet<&String> = seen.iter().collect();
    assert_eq!(distinct.len(), seen.len(), "seen twice: {seen:?}");
    let expected: HashSet<String> =
        (0..60).map(|n| format!("u-{n}")).chain((0..5).map(|n| format!("new-{n}"))).collect();
    assert_eq!(seen.iter().cloned().collect::<HashSet<_>>(), expected);
}

#[tokio::test]
async fn a_lookup_by_reference_sees_every_write_before_it() {
    let erp = Erp::start().await;
    for n in 0..50 {
        let reference = format!("ref/{n} ü");
        let encoded: String = url::form_urlencoded::byte_serialize(reference.as_bytes()).collect();
        let id = erp.customer(&reference).await;
        let found = erp.get(&format!("/customers?upcoachReference={encoded}")).await.json();
        assert_eq!(found["data"][0]["id"], id);
        assert_eq!(found["nextCursor"], Value::Null);
    }
    assert_eq!(references(&erp.get("/customers?upcoachReference=REF/1").await.json()), Vec::<String>::new());
}

#[tokio::test]
async fn a_changed_reference_is_found_under_the_new_one_only() {
    let erp = Erp::start().await;
    let id = erp.customer("old").await;
    erp.put(&format!("/customers/{id}"), &json!({ "upcoachReference": "new" })).await;
    assert_eq!(references(&erp.get("/customers?upcoachReference=old").await.json()), Vec::<String>::new());
    assert_eq!(references(&erp.get("/customers?upcoachReference=new").await.json()), ["new"]);
}

#[tokio::test]
async fn times_filter_by_half_open_windows_and_updated_since() {
    let erp = Erp::start().await;
    let mut created = Vec::new();
    for (n, ahead_ms) in [(0, 0), (1, 3_600_000), (2, 7_200_000)] {
        erp.control.set_clock_ahead(ahead_ms).await;
        let answer = erp.post("/customers", &customer(&format!("u-{n}"))).await.json();
        created.push((answer["id"].as_str().unwrap().to_owned(), answer["createdAt"].as_str().unwrap().to_owned()));
    }
    let [(first, _), (_, second), (_, third)] = created.as_slice() else { panic!("three were created") };
    let list = async |query: String| references(&erp.get(&format!("/customers?{query}")).await.json());
    assert_eq!(list(format!("createdFrom={second}")).await, ["u-1", "u-2"]);
    assert_eq!(list(format!("createdTo={second}")).await, ["u-0"]);
    assert_eq!(list(format!("createdFrom={second}&createdTo={third}")).await, ["u-1"]);
    assert_eq!(list(format!("updatedSince={third}")).await, ["u-2"]);
    erp.put(&format!("/customers/{first}"), &json!({ "name": "Changed" })).await;
    assert_eq!(list(format!("updatedSince={third}")).await, ["u-0", "u-2"]);
    assert_eq!(list(format!("updatedSince={third}&limit=1&createdFrom={second}")).await, ["u-2"]);
}

#[tokio::test]
async fn a_filter_that_matches_little_among_much_finds_it() {
    let erp = Erp::start().await;
    for n in 0..4_100 {
        erp.customer(&format!("u-{n}")).await;
    }
    erp.control.set_clock_ahead(3_600_000).await;
    let last = erp.customer("last").await;
    let since = erp.get(&format!("/customers/{last}")).await.json()["updatedAt"].as_str().unwrap().to_owned();
    assert_eq!(all_pages(&erp, &format!("limit=1&updatedSince={since}")).await, [["last"]]);
    assert_eq!(all_pages(&erp, "limit=500").await.concat().len(), 4_101);
}

#[tokio::test]
async fn bad_unknown_and_repeated_parameters_are_all_told() {
    let erp = Erp::start().await;
    let refused = erp.get("/customers?limit=0&createdFrom=today&colour=red&updatedSince=x&cursor=%21&limit=5").await;
    assert_eq!(
        refused.is_error(400, "VALIDATION_ERROR").bad_fields(),
        ["limit", "createdFrom", "colour", "updatedSince", "limit", "cursor"]
    );
    for limit in ["501", "-1", "ten", ""] {
        assert_eq!(
            erp.get(&format!("/customers?limit={limit}")).await.is_error(400, "VALIDATION_ERROR").bad_fields(),
            ["limit"]
        );
    }
}

#[tokio::test]
async fn without_the_capability_updated_since_is_unknown() {
    let erp = Erp::start().await;
    assert_eq!(erp.get("/customers?updatedSince=2026-01-01T00:00:00Z").await.status, 200);
    erp.control.set_capabilities(&["idempotency-key"]).await;
    let refused = erp.get("/customers?updatedSince=2026-01-01T00:00:00Z").await;
    assert_eq!(refused.is_error(400, "VALIDATION_ERROR").bad_fields(), ["updatedSince"]);
}

#[tokio::test]
async fn a_cursor_belongs_to_its_list() {
    let erp = Erp::start().await;
    for n in 0..3 {
        erp.customer(&format!("u-{n}")).await;
    }
    let page = erp.get("/customers?limit=1&createdFrom=2020-01-01T00:00:00Z").await.json();
    let cursor = page["nextCursor"].as_str().unwrap();
    let next = erp.get(&format!("/customers?limit=2&createdFrom=2020-01-01T00:00:00Z&cursor={cursor}")).await;
    assert_eq!(references(&next.json()), ["u-1", "u-2"]);
    for path in
        [format!("/customers?cursor={cursor}"), format!("/invoices?createdFrom=2020-01-01T00:00:00Z&cursor={cursor}")]
    {
        assert_eq!(erp.get(&path).await.is_error(400, "VALIDATION_ERROR").bad_fields(), ["cursor"]);
    }
}
