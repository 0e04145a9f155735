//! Rate limit, quota, what changes while a list is paged, and the count of calls by time.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use testkit::sandbox::{Fault, FaultAction, FaultBody, Limits, RetryAfterForm};

use crate::support::{Answer, Erp, answer, customer};

fn number(answer: &Answer, header: &str) -> i64 {
    answer
        .headers
        .get(header)
        .unwrap_or_else(|| panic!("{header} in {:?}", answer.headers))
        .to_str()
        .unwrap()
        .parse()
        .unwrap()
}

#[tokio::test]
async fn a_rate_limit_is_told_in_every_answer_and_then_refuses() {
    let erp = Erp::start().await;
    assert!(erp.get("/customers").await.headers.get("x-ratelimit-limit").is_none());
    erp.control.set_limits(&Limits { per_window: Some(2), window_ms: Some(30_000), ..Limits::default() }).await;
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let first = erp.get("/customers").await;
    assert_eq!((number(&first, "x-ratelimit-limit"), number(&first, "x-ratelimit-remaining")), (2, 1));
    assert!((now + 25..now + 60).contains(&number(&first, "x-ratelimit-reset")));
    assert_eq!(erp.post("/customers", &customer("u-1")).await.status, 201);
    let refused = erp.post("/customers", &customer("u-2")).await;
    refused.is_error(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(number(&refused, "x-ratelimit-remaining"), 0);
    assert!((1..=30).contains(&number(&refused, "retry-after")));
    assert_eq!(erp.records_of("customers").await, 1);
    assert_eq!(erp.get("/health").await.status, 200);
    assert_eq!(erp.control.counters().await.answers[&429], 1);
    erp.control.set_clock_ahead(30_000).await;
    assert_eq!(erp.post("/customers", &customer("u-2")).await.status, 201);
}

#[tokio::test]
async fn who_has_no_key_uses_nothing_up() {
    let erp = Erp::start().await;
    erp.control.set_limits(&Limits { per_window: Some(1), ..Limits::default() }).await;
    for _ in 0..3 {
        let stranger = erp.http.get(format!("{}/customers", erp.control.api_url()));
        assert_eq!(answer(stranger).await.unwrap().status, 401);
    }
    assert_eq!(erp.get("/customers").await.status, 200);
}

#[tokio::test]
async fn a_quota_lasts_until_midnight_and_is_told_as_a_date_on_demand() {
    let erp = Erp::start().await;
    let quota = Limits { per_day: Some(1), retry_after: RetryAfterForm::Date, health: true, ..Limits::default() };
    erp.control.set_limits(&quota).await;
    assert_eq!(erp.get("/health").await.status, 200);
    let refused = erp.get("/health").await;
    refused.is_error(429, "QUOTA_EXCEEDED");
    let date = refused.headers["retry-after"].to_str().unwrap();
    assert!(date.ends_with(" GMT") && date.len() == 29, "{date}");
    erp.control.set_limits(&Limits { retry_after: RetryAfterForm::Seconds, ..quota }).await;
    erp.get("/health").await;
    let wait = number(&erp.get("/health").await, "retry-after");
    assert!((1..=86_400).contains(&wait));
    erp.control.set_clock_ahead(wait * 1000).await;
    assert_eq!(erp.get("/health").await.status, 200);
}

#[tokio::test]
async fn a_proxys_answer_says_nothing_of_limits_and_a_reset_lifts_them() {
    let erp = Erp::start().await;
    erp.control.set_limits(&Limits { per_window: Some(1), ..Limits::default() }).await;
    let html = FaultAction::Status { status: 502, body: FaultBody::Html, retry_after: None, after_write: false };
    erp.control.add_fault(&Fault::new(html)).await;
    assert!(erp.get("/customers").await.headers.get("x-ratelimit-limit").is_none());
    erp.control.reset().await;
    for _ in 0..3 {
        assert_eq!(erp.get("/customers").await.status, 200);
    }
}

#[tokio::test]
async fn records_that_change_while_a_list_is_paged_are_seen_once_in_their_old_or_their_new_state() {
    let erp = Erp::start().await;
    for nth in 0..40 {
        erp.customer(&format!("u-{nth}")).await;
    }
    let fields = json!({ "name": "Changed" }).as_object().unwrap().clone();
    erp.control
        .add_fault(&Fault::new(FaultAction::ChangeWhilePaged { records: 10, fields }).on("GET", "/customers"))
        .await;
    let (mut seen, mut names, mut cursor) = (Vec::new(), BTreeSet::new(), String::new());
    loop {
        let page = erp.get(&format!("/customers?limit=7{cursor}")).await.json();
        for record in page["data"].as_array().unwrap() {
            seen.push(record["upcoachReference"].as_str().unwrap().to_owned());
            names.insert(record["name"].as_str().unwrap().to_owned());
        }
        let Value::String(next) = &page["nextCursor"] else { break };
        cursor = format!("&cursor={next}");
    }
    let distinct: BTreeSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), distinct.len()), (40, 40));
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["Ada Example", "Changed"]);
    let counters = erp.control.counters().await;
    assert_eq!(counters.faults["change-while-paged"], 6);
    // Others than lists are none of this fault's.
    erp.control.clear_faults().await;
    erp.control
        .add_fault(&Fault::new(FaultAction::ChangeWhilePaged { records: 1, fields: serde_json::Map::new() }))
        .await;
    erp.get("/health").await;
    assert_eq!(erp.control.counters().await.faults["change-while-paged"], 6);
}

#[tokio::test]
async fn calls_are_counted_by_tenths_of_a_second() {
    let erp = Erp::start().await;
    for _ in 0..25 {
        erp.get("/health").await;
    }
    let rate = erp.control.rate().await;
    assert_eq!((rate.bucket_ms, rate.calls.iter().sum::<u64>()), (100, 25));
    assert!((1..=25).contains(&rate.most));
    assert!(rate.calls.len() <= 600);
}
