//! What the sandbox can be told to do wrong, each with what it leaves behind.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::sandbox::{Fault, FaultAction, FaultBody, Outage, RetryAfter};

use crate::support::{Erp, PATIENCE, answer, customer};

async fn told(action: FaultAction) -> Erp {
    let erp = Erp::start().await;
    erp.control.add_fault(&Fault::new(action).on("POST", "/customers").times(1)).await;
    erp
}

/// A POST whose connection ends without an answer.
async fn post_is_cut(erp: &Erp) {
    let outcome = answer(erp.request("POST", "/customers", Some(customer("u-1").to_string()))).await;
    let error = outcome.expect_err("the connection is cut");
    assert!(!error.is_timeout() && error.status().is_none(), "{error:?}");
}

#[tokio::test]
async fn cut_before_write_leaves_no_record() {
    let erp = told(FaultAction::CutBeforeWrite).await;
    post_is_cut(&erp).await;
    assert_eq!(erp.records_of("customers").await, 0);
    assert_eq!(erp.post("/customers", &customer("u-1")).await.status, 201);
    let counters = erp.control.counters().await;
    assert_eq!((counters.cuts, counters.faults.get("cut-before-write")), (1, Some(&1)));
}

#[tokio::test]
async fn cut_after_write_keeps_the_record() {
    let erp = told(FaultAction::CutAfterWrite).await;
    post_is_cut(&erp).await;
    assert_eq!(erp.records_of("customers").await, 1);
    let found = erp.get("/customers?upcoachReference=u-1").await.json();
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_late_write_takes_effect_after_the_cut() {
    let erp = told(FaultAction::LateWrite { delay_ms: 500 }).await;
    post_is_cut(&erp).await;
    let counters = erp.control.counters().await;
    assert_eq!((counters.pending_writes, counters.records_of("customers")), (1, 0));
    testkit::eventually(PATIENCE, "the late write takes effect", || async { erp.records_of("customers").await == 1 })
        .await;
    assert_eq!(erp.control.counters().await.pending_writes, 0);
}

#[tokio::test]
async fn a_late_write_from_before_a_reset_never_takes_effect() {
    let erp = told(FaultAction::LateWrite { delay_ms: 100 }).await;
    post_is_cut(&erp).await;
    erp.control.reset().await;
    testkit::eventually(PATIENCE, "the late write is dropped", || async {
        erp.control.counters().await.pending_writes == 0
    })
    .await;
    assert_eq!(erp.records_of("customers").await, 0);
}

#[tokio::test]
async fn a_write_whose_caller_gave_up_still_takes_effect() {
    let erp = told(FaultAction::Delay { before_ms: 700, after_ms: 0 }).await;
    let call = erp.request("POST", "/customers", Some(customer("u-1").to_string())).timeout(Duration::from_millis(100));
    assert!(answer(call).await.expect_err("too slow").is_timeout());
    assert_eq!(erp.records_of("customers").await, 0);
    testkit::eventually(PATIENCE, "the write takes effect", || async { erp.records_of("customers").await == 1 }).await;
}

#[tokio::test]
async fn a_late_answer_leaves_a_caller_without_one_and_the_record_there() {
    let erp = told(FaultAction::Delay { before_ms: 0, after_ms: 20_000 }).await;
    let call = erp.request("POST", "/customers", Some(customer("u-1").to_string())).timeout(Duration::from_millis(200));
    assert!(answer(call).await.expect_err("too slow").is_timeout());
    assert_eq!(erp.records_of("customers").await, 1);
}

#[tokio::test]
async fn a_cut_in_the_body_keeps_the_record_and_breaks_the_answer() {
    let erp = told(FaultAction::CutInBody).await;
    let response = erp.request("POST", "/customers", Some(customer("u-1").to_string())).send().await.unwrap();
    assert_eq!(response.status(), 201);
    assert!(response.bytes().await.is_err());
    assert_eq!(erp.records_of("customers").await, 1);
}

#[tokio::test]
async fn a_slow_body_comes_whole_and_late() {
    let erp = told(FaultAction::SlowBody { chunk_bytes: 40, pause_ms: 30 }).await;
    let begun = Instant::now();
    let created = erp.post("/customers", &customer("u-1")).await;
    // Not a limit on speed: so many pauses cannot pass in less.
    let pauses = u32::try_from(created.text.len().div_ceil(40)).unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(30) * pauses, "{:?} for {pauses} pauses", begun.elapsed());
    assert_eq!(created.text, erp.get(&format!("/customers/{}", created.id())).await.text);
}

#[tokio::test]
async fn a_garbage_body_has_the_status_of_success() {
    let erp = told(FaultAction::GarbageBody).await;
    let spoiled = erp.post("/customers", &customer("u-1")).await;
    assert_eq!(spoiled.status, 201);
    assert!(serde_json::from_str::<serde_json::Value>(&spoiled.text).is_err());
    assert_eq!(erp.records_of("customers").await, 1);
}

#[tokio::test]
async fn an_error_answer_leaves_no_record_unless_told_so() {
    for (body, after_write, content_type, records) in [
        (FaultBody::Json, false, Some("application/json"), 0),
        (FaultBody::Html, true, Some("text/html"), 1),
        (FaultBody::Empty, true, None, 1),
    ] {
        let erp = told(FaultAction::Status { status: 502, body, retry_after: None, after_write }).await;
        let failed = erp.post("/customers", &customer("u-1")).await;
        assert_eq!(failed.status, 502);
        assert_eq!(failed.headers.get("content-type").map(|value| value.to_str().unwrap()), content_type);
        match body {
            FaultBody::Json => _ = failed.is_error(502, "SERVICE_UNAVAILABLE"),
            FaultBody::Html => assert!(failed.text.starts_with("<html>")),
            FaultBody::Empty => assert_eq!(failed.text, ""),
        }
        assert_eq!(erp.records_of("customers").await, records, "{body:?}");
    }
}

#[tokio::test]
async fn too_many_requests_tells_when_to_come_again_in_both_forms_and_in_none() {
    let erp = Erp::start().await;
    let limited = |retry_after| {
        Fault::new(FaultAction::Status {
            status: 429,
            body: FaultBody::Json,
            retry_after: Some(retry_after),
            after_write: false,
        })
        .times(1)
    };
    erp.control.add_fault(&limited(RetryAfter::Seconds(7))).await;
    let answer = erp.get("/customers").await;
    assert_eq!(answer.is_error(429, "RATE_LIMIT_EXCEEDED").headers["retry-after"], "7");
    erp.control.add_fault(&limited(RetryAfter::DateInSeconds(3600))).await;
    let date = erp.get("/customers").await.headers["retry-after"].to_str().unwrap().to_owned();
    assert!(date.ends_with(" GMT") && date.len() == "Sun, 06 Nov 1994 08:49:37 GMT".len(), "{date}");
    erp.control.add_fault(&limited(RetryAfter::Text("-1 fortnight".into()))).await;
    assert_eq!(erp.get("/customers").await.headers["retry-after"], "-1 fortnight");
    assert_eq!(erp.get("/customers").await.status, 200);
}

#[tokio::test]
async fn a_fault_applies_to_the_calls_it_names_after_those_it_skips() {
    let erp = Erp::start().await;
    erp.control.add_fault(&Fault::status(500).on("POST", "/customers").skip(2).times(3)).await;
    let mut statuses = Vec::new();
    for n in 0..7 {
        assert_eq!(erp.get("/customers").await.status, 200);
        statuses.push(erp.post("/customers", &customer(&format!("u-{n}"))).await.status);
    }
    assert_eq!(statuses, [201, 201, 500, 500, 500, 201, 201]);
}

#[tokio::test]
async fn a_seed_makes_the_same_calls_fail() {
    let erp = Erp::start().await;
    let mut runs = Vec::new();
    for seed in [7, 7, 8] {
        erp.control.reset().await;
        erp.control.set_seed(seed).await;
        erp.control.add_fault(&Fault::status(503).on("GET", "/customers").rate(0.5)).await;
        let mut run = Vec::new();
        for _ in 0..64 {
            run.push(erp.get("/customers").await.status);
        }
        assert!(run.contains(&200) && run.contains(&503));
        runs.push(run);
    }
    let [first, same, other] = runs.as_slice() else { panic!("three runs") };
    assert_eq!(first, same);
    assert_ne!(first, other);
}

#[tokio::test]
async fn faults_are_taken_back_one_by_one_and_all_at_once() {
    let erp = Erp::start().await;
    let id = erp.control.add_fault(&Fault::status(500).on("GET", "/health")).await;
    erp.control.add_fault(&Fault::status(503).on("GET", "/health")).await;
    assert_eq!(erp.get("/health").await.status, 500);
    let faults = format!("{}/control/faults", erp.control.base);
    let listed = answer(erp.http.get(&faults)).await.unwrap().json();
    assert_eq!(listed["faults"][0]["applied"], 1);
    assert_eq!(answer(erp.http.delete(format!("{faults}/{id}"))).await.unwrap().status, 204);
    assert_eq!(answer(erp.http.delete(format!("{faults}/{id}"))).await.unwrap().status, 404);
    assert_eq!(erp.get("/health").await.status, 503);
    erp.control.clear_faults().await;
    assert_eq!(erp.get("/health").await.status, 200);
}

#[tokio::test]
async fn an_outage_holds_for_every_call_until_it_ends() {
    let erp = Erp::start().await;
    erp.control.set_outage(Outage::Unavailable).await;
    for path in ["/health", "/customers"] {
        let failed = erp.get(path).await;
        assert_eq!((failed.status, failed.headers["content-type"].to_str().unwrap()), (503, "text/html"));
    }
    erp.control.set_outage(Outage::Cut).await;
    post_is_cut(&erp).await;
    erp.control.set_outage(Outage::Off).await;
    assert_eq!(erp.get("/health").await.status, 200);
    assert_eq!(erp.records_of("customers").await, 0);
}

#[tokio::test]
async fn latency_holds_up_every_call() {
    let erp = Erp::start().await;
    erp.control.set_latency(Duration::from_millis(60), Duration::from_millis(80)).await;
    let begun = Instant::now();
    assert_eq!(erp.get("/health").await.status, 200);
    assert!(begun.elapsed() >= Duration::from_millis(60));
    let put = erp.http.put(format!("{}/control/latency", erp.control.base)).json(&json!({ "minMs": 5, "maxMs": 1 }));
    assert_eq!(answer(put).await.unwrap().status, 400);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let erp = Erp::start().await;
    for (fault, why) in [
        (json!({ "action": { "kind": "explode" } }), "unknown variant"),
        (json!({ "action": { "kind": "late-write", "delayMs": 60_001 } }), "60 s"),
        (json!({ "action": { "kind": "garbage-body" }, "rate": 1.5 }), "rate"),
        (json!({ "action": { "kind": "garbage-body" }, "path": "/nowhere" }), "no operation"),
        (json!({ "action": { "kind": "status", "status": 200 } }), "400 to 599"),
        (json!({ "action": { "kind": "garbage-body" }, "often": 3 }), "unknown field"),
    ] {
        let refused = answer(erp.http.post(format!("{}/control/faults", erp.control.base)).json(&fault)).await.unwrap();
        assert_eq!((refused.status, &refused.json()["code"]), (400, &json!("INVALID_REQUEST")), "{fault}");
        assert!(refused.text.contains(why), "{}", refused.text);
    }
}

#[tokio::test]
async fn a_few_calls_take_much_longer_than_the_others() {
    let erp = Erp::start().await;
    let (soon, late) = (Duration::ZERO, Duration::from_millis(400));
    erp.control.set_latency_with_slow(soon, soon, 1000, (late, late)).await;
    let begun = Instant::now();
    assert_eq!(erp.get("/health").await.status, 200);
    // Not a limit on speed: the call may not be answered sooner.
    assert!(begun.elapsed() >= late);
    let wrong = erp.http.put(format!("{}/control/latency", erp.control.base));
    let wrong = wrong.json(&json!({ "minMs": 0, "maxMs": 0, "slow": { "perMille": 1001, "minMs": 0, "maxMs": 1 } }));
    assert_eq!(answer(wrong).await.unwrap().status, 400);
}
