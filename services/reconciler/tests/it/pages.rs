//! A FlashERP whose pages lead in a circle, or give a record twice: the run ends, finds nothing that is not there, and claims no proof.

use testkit::sandbox::Record;
use wiremock::matchers::{method, path, path_regex};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::kit::World;

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
async fn reconcile(world: &World, list: impl Fn(Option<&str>) -> String + Send + Sync + 'static) -> crate::kit::Ended {
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
        world.sandbox.records("transactions").await.iter().map(|record| (record.id(), json(record))).collect();
    Mock::given(method("GET"))
        .and(path_regex("^/v1/transactions/.+"))
        .respond_with(move |request: &Request| {
            let id = request.url.path().rsplit('/').next().unwrap_or_default();
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
    let _reconciler = world.reconciler().await;
    world.reconcile().await
}

fn json(record: &Record) -> String {
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
    let records: Vec<String> = world.sandbox.records("transactions").await.iter().map(json).collect();
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
