//! Probes: alive from the first moment, ready when every required check passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use service::health::Management;

use crate::kit::{client, context_without_database};

async fn get(management: &Management, path: &str) -> (u16, Value) {
    let answer = client().get(format!("http://{}{path}", management.address())).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn healthz_names_the_process_so_that_a_test_knows_it_talks_to_its_own() {
    let context = context_without_database();
    let management = Management::start(context.common.management_addr, context.health.clone()).expect("starts");
    let (status, body) = get(&management, "/healthz").await;
    assert_eq!(status, 200);
    assert_eq!(body["status"], "ok");
    assert_eq!(body["service"], "ingress");
    assert_eq!(body["instance"], context.instance.to_string());
    assert_eq!(body["pid"], std::process::id());
    management.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ready_only_when_started_and_every_required_check_passes() {
    let context = context_without_database();
    let management = Management::start(context.common.management_addr, context.health.clone()).expect("starts");
    let (status, body) = get(&management, "/readyz").await;
    assert_eq!((status, &body["status"]), (503, &json!("starting")));

    let database = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&database);
    context.health.required("database", move || {
        let there = seen.load(Ordering::SeqCst);
        async move { if there { Ok(()) } else { Err("the database can't be reached".to_owned()) } }
    });
    context.health.warning("broker", || async { Err("not connected".to_owned()) });
    context.started();
    let (status, body) = get(&management, "/readyz").await;
    assert_eq!((status, &body["status"]), (503, &json!("notReady")));
    let checks = json!([
        {"name": "database", "importance": "required", "ok": false, "message": "the database can't be reached"},
        {"name": "broker", "importance": "warning", "ok": false, "message": "not connected"}
    ]);
    assert_eq!(body["checks"], checks);

    database.store(true, Ordering::SeqCst);
    let (status, body) = get(&management, "/readyz").await;
    assert_eq!((status, &body["status"]), (200, &json!("ready")));
    assert_eq!(body["checks"][0], json!({"name": "database", "importance": "required", "ok": true}));

    context.shutdown.cancel();
    let (status, body) = get(&management, "/readyz").await;
    assert_eq!((status, &body["status"]), (503, &json!("stopping")));
    management.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_check_that_hangs_has_failed() {
    let context = context_without_database();
    context.health.required("database", std::future::pending::<Result<(), String>>);
    context.started();
    let readiness = context.health.readiness().await;
    assert!(!readiness.is_ready());
    assert_eq!(readiness.checks[0].message.as_deref(), Some("no answer within 3 s"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_is_told_with_its_setting() {
    let context = context_without_database();
    let first = Management::start(context.common.management_addr, context.health.clone()).expect("starts");
    let error = Management::start(first.address(), context.health.clone()).err().expect("the port is taken");
    assert!(format!("{error:#}").contains(&format!("listening on MANAGEMENT_ADDR {}", first.address())), "{error:#}");
    first.stop().await;
}
