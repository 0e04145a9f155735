//! A FlashERP whose pages lead in a circle, or give a record twice, or that can't serve some records: the run ends, finds nothing that is not there, and claims no
//! proof.

use std::collections::BTreeSet;

use serde_json::json;
use testkit::sandbox::Record;
use wiremock::matchers::{method, path, path_regex};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::kit::{Ended, World};

const MEMBERS: [&str; 12] = [
    "id",
    "customerId",
    "amount",
    "currency",
    "status",
    "type",
    "paymentMethod",
    "description",
    "upcoachReference",
    "stripeTransactionId",
    "createdAt",
    "updatedAt",
];

/// Reconciles with a FlashERP that answers lists like this, by cursor, and single records as they are.
async fn reconcile(world: &World, list: impl Fn(Option<&str>) -> String + Send + Sync + 'static) -> Ended {
    reconcile_but(world, list, Vec::new()).await
}

/// The same with some records that it always fails at, while it says that it is well; the reconciler's patience would last for a day.
async fn reconcile_but(
    world: &World,
    list: impl Fn(Option<&str>) -> String + Send + Sync + 'static,
    broken: Vec<String>,
) -> Ended {
    let flasherp = MockServer::start().await;
    let answer = |body: String| ResponseTemplate::new(200).set_body_raw(body, "application/json");
    Mock::given(method("GET"))
        .and(path("/v1/transactions"))
        .respond_with(move |request: &Request| {
            let cursor =
                request.url.query_pairs().find(|(name, _)| name == "cursor").map(|(_, cursor)| cursor.into_owned());
            answer(list(cursor.as_deref()))
        })
        .mount(&flasherp)
        .await;
    let records: Vec<(String, String)> =
        world.sandbox.records("transactions").await.iter().map(|record| (record.id(), text(record))).collect();
    Mock::given(path("/v1/health")).respond_with(answer(r#"{"status":"ok"}"#.to_owned())).mount(&flasherp).await;
    Mock::given(method("GET"))
        .and(path_regex("^/v1/transactions/.+"))
        .respond_with(move |request: &Request| {
            let id = request.url.path().rsplit('/').next().unwrap_or_default();
            if broken.iter().any(|of| of == id) {
                return ResponseTemplate::new(500);
            }
            let record = records.iter().find(|(of, _)| of == id).expect("it is there");
            answer(record.1.clone())
        })
        .mount(&flasherp)
        .await;
    sqlx::query("UPDATE config.erp_configurations SET base_url = $1")
        .bind(format!("{}/v1", flasherp.uri()))
        .execute(&world.pool)
        .await
        .expect("configured");
    let options = world.reconciler_options("reconciler").env("RECONCILIATION_PATIENCE_SECS", "86400");
    let _reconciler = world.start(options.env("CIRCUIT_FAILURES", "1000")).await;
    world.reconcile().await
}

fn text(record: &Record) -> String {
    let members: Vec<String> =
        MEMBERS.iter().filter_map(|name| Some(format!("\"{name}\":{}", record.json(name)?))).collect();
    format!("{{{}}}", members.join(","))
}

fn page(records: &[String], next: Option<&str>) -> String {
    let next = next.map_or_else(|| "null".to_owned(), |next| format!("\"{next}\""));
    format!("{{\"data\":[{}],\"nextCursor\":{next}}}", records.join(","))
}

#[tokio::test]
async fn pages_that_lead_in_a_circle_are_given_up() {
    let world = World::new(3).await;
    let ended = reconcile(&world, |cursor| {
        page(
            &[],
            Some(match cursor {
                Some("a") => "b",
                Some("b") => "c",
                _ => "a",
            }),
        )
    })
    .await;
    assert_eq!((ended.status.as_str(), ended.proven), ("failed", None), "{ended:?}");
    assert!(ended.error.as_deref().is_some_and(|error| error.contains("have no end")), "{ended:?}");
}

#[tokio::test]
async fn a_page_given_twice_is_no_double_and_no_proof() {
    let world = World::new(3).await;
    let records: Vec<String> = world.sandbox.records("transactions").await.iter().map(text).collect();
    // The third record's page is never given: the second read finds it.
    let twice = records[..2].to_vec();
    let ended = reconcile(&world, move |cursor| page(&twice, cursor.is_none().then_some("more"))).await;
    assert_eq!((ended.status.as_str(), ended.proven), ("completed", Some(false)), "{ended:?}");
    assert_eq!(world.open(ended.id).await.len(), 0, "{ended:?}");
    let counts = ["matched", "upcoach", "flasherp", "leftOut", "unaccounted"].map(|name| ended.count(name));
    assert_eq!(counts, [3, 3, 3, 0, 2]);
    for (currency, sums) in ended.totals["types"][0]["currencies"].as_object().expect("sums") {
        assert_eq!(sums["ours"], sums["theirs"], "{currency}: each counts once");
    }
}

#[tokio::test]
async fn records_that_flasherp_never_serves_cost_a_moment_each_and_hide_no_others() {
    let world = World::new(12).await;
    world.long_ago().await;
    for nth in 0..9 {
        world.edit(&world.ledger.entry(nth), json!({"amount": 1})).await;
    }
    world.now().await;
    // Six of the nine: more than are an accident, if nothing else were served.
    let broken: Vec<String> = (0..6).map(|nth| world.ledger.entry(nth).target).collect();
    let records: Vec<String> = world.sandbox.records("transactions").await.iter().map(text).collect();
    let ended = reconcile_but(&world, move |_| page(&records, None), broken.clone()).await;
    assert_eq!((ended.status.as_str(), ended.proven), ("incomplete", Some(false)), "{ended:?}");
    assert_eq!(world.open(ended.id).await.into_iter().collect::<Vec<_>>(), [("mismatch".to_owned(), 3)], "{ended:?}");
    let unread = ended.totals["unread"].as_array().expect("a list");
    let named: BTreeSet<&str> = unread.iter().filter_map(|of| of["targetId"].as_str()).collect();
    assert_eq!(named, broken.iter().map(String::as_str).collect::<BTreeSet<_>>());
    assert_eq!(ended.totals["unreadCount"], 6);
    assert!(ended.error.is_some_and(|error| broken.iter().all(|id| error.contains(id.as_str()))));
}
