//! Imports over HTTP: streamed, by id, each line by itself, and gone on with after whatever ended them.

use std::convert::Infallible;
use std::fmt::Write as _;

use bytes::Bytes;
use futures::StreamExt as _;
use reqwest::{Method, RequestBuilder};
use rstest::rstest;
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::eventually;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::api::{Answer, Api, DEADLINE};

const PATH: &str = "/api/erp/import";
const NDJSON: &str = "application/x-ndjson";

/// NDJSON of these users.
fn users(numbers: std::ops::Range<u128>) -> String {
    numbers.fold(String::new(), |mut file, n| {
        let id = Uuid::from_u128(n);
        writeln!(file, r#"{{"entityType":"customer","id":"{id}","email":"u{n}@example.com","name":"User {n}"}}"#)
            .expect("a line");
        file
    })
}

fn request(api: &Api, kind: &str) -> RequestBuilder {
    api.request(Method::POST, PATH).header("content-type", kind)
}

async fn import(api: &Api, file: &str) -> Answer {
    Answer::of(request(api, NDJSON).body(file.to_owned())).await
}

async fn keyed(api: &Api, key: &str, file: &str) -> Answer {
    Answer::of(request(api, NDJSON).header("idempotency-key", key).body(file.to_owned())).await
}

/// Created, updated, unchanged, rejected.
fn counts(answer: &Answer) -> [u64; 4] {
    assert_eq!(answer.status, 200, "{answer:?}");
    ["created", "updated", "unchanged", "rejected"].map(|name| answer.json()[name].as_u64().expect("a count"))
}

async fn one<T>(pool: &PgPool, statement: &'static str) -> T
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    sqlx::query_scalar(statement).fetch_one(pool).await.expect(statement)
}

async fn users_become(pool: &PgPool, expected: i64) {
    eventually(DEADLINE, "records are committed", || async {
        one::<i64>(pool, "SELECT count(*) FROM upcoach.users").await == expected
    })
    .await;
}

/// A body that the test sends piece by piece.
fn fed() -> (mpsc::UnboundedSender<String>, reqwest::Body) {
    let (feed, mut fed) = mpsc::unbounded_channel::<String>();
    let pieces = futures::stream::poll_fn(move |context| fed.poll_recv(context));
    (feed, reqwest::Body::wrap_stream(pieces.map(|piece| Ok::<_, Infallible>(Bytes::from(piece)))))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn good_lines_are_taken_and_each_broken_one_is_told_and_costs_no_other() {
    let api = Api::start().await;
    let pool = api.pool().await;
    let [one_id, two] = [1, 2].map(Uuid::from_u128);
    let file = format!("{}{{\"entityType\":\"customer\",\"id\":7}}\n[]\n{}", users(1..2), users(2..3).trim_end());
    let answer = import(&api, &file).await;
    assert_eq!(counts(&answer), [2, 0, 0, 2]);
    assert_eq!(
        answer.json()["errors"],
        json!([
            {"line": 2, "entityType": "customer", "id": null, "details": [{"field": "id", "issue": "is a number; write text"}]},
            {"line": 3, "entityType": null, "id": null, "details": [{"field": "", "issue": "is no JSON object, or has a field twice"}]},
        ])
    );
    assert_eq!((&answer.json()["errorsOmitted"], &answer.json()["isResumed"]), (&json!(0), &json!(false)));

    let csv = format!("id,name\n{one_id},Ada\n{two},\"Grace\n");
    let answer =
        Answer::of(request(&api, "text/csv; charset=utf-8").query(&[("entityType", "customer")]).body(csv)).await;
    assert_eq!(counts(&answer), [0, 1, 0, 1]);
    assert_eq!(answer.json()["errors"][0]["line"], json!(3));
    assert_eq!(
        one::<String>(&pool, "SELECT string_agg(name, ',' ORDER BY email) FROM upcoach.users").await,
        "Ada,User 2"
    );
    assert_eq!(
        one::<i64>(&pool, "SELECT count(*) FROM sync.requests").await,
        3,
        "what was made or changed is asked for"
    );

    let listed = api.get("/api/erp/batches?kind=import&status=completed").await.json();
    assert_eq!(listed["data"][0]["id"], answer.json()["batchId"]);
    assert_eq!(
        ["total", "done", "failed", "requestedBy"].map(|name| listed["data"][0][name].clone()),
        [json!(2), json!(1), json!(1), json!("admin@test")]
    );
    let path =
        format!("/api/erp/audit-logs?entityType=import&entityId={}", answer.json()["batchId"].as_str().expect("an id"));
    let audited = api.get(&path).await.json();
    let rows = audited["data"].as_array().expect("rows");
    let operations: Vec<_> = rows.iter().map(|row| row["metadata"]["operation"].clone()).collect();
    assert_eq!(operations, [json!("import.ended"), json!("import.begun")]);
    for row in rows {
        assert_eq!((&row["performedBy"], &row["ipAddress"]), (&json!("admin@test"), &json!("127.0.0.1")));
        assert_eq!(row["requestId"], json!(answer.header("x-request-id")));
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_so_many_broken_lines_are_told_and_all_are_counted() {
    let api = Api::start().await;
    let long = "x".repeat(10_000);
    let file = format!("{}{}", format!("{{\"{long}\":1}}\n").repeat(150), users(0..1));
    let answer = Answer::of(request(&api, NDJSON).query(&[("entityType", "invoice")]).body(file)).await;
    assert_eq!(counts(&answer), [0, 0, 0, 151]);
    assert_eq!(answer.json()["errors"].as_array().expect("a list").len(), 100);
    assert_eq!(answer.json()["errorsOmitted"], json!(51));
    assert!(answer.text.len() < 1 << 20, "{}", answer.text.len());
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_file_of_records_is_refused() {
    let api = Api::start().await;
    let pool = api.pool().await;
    for kind in ["application/json", "multipart/form-data; boundary=x", "text/csv; charset=utf-16", "text/plain"] {
        let answer = Answer::of(request(&api, kind).body(users(0..1))).await;
        assert_eq!((answer.status, &answer.json()["code"]), (415, &json!("INVALID_REQUEST")), "{kind}");
    }
    assert_eq!(Answer::of(api.request(Method::POST, PATH)).await.status, 415);
    let compressed = request(&api, NDJSON).header("content-encoding", "gzip").body(users(0..1));
    assert_eq!(Answer::of(compressed).await.status, 415);
    let query = [("entityType", "financial_report"), ("dryRun", "true")];
    let answer = Answer::of(request(&api, NDJSON).query(&query).body(users(0..1))).await;
    assert_eq!((answer.status, answer.wrong_fields()), (400, vec!["entityType".to_owned(), "dryRun".to_owned()]));
    assert_eq!(keyed(&api, &"k".repeat(256), "").await.wrong_fields(), ["Idempotency-Key"]);
    let answer = Answer::of(request(&api, "text/csv").body("id;email\n")).await;
    assert_eq!((answer.status, answer.wrong_fields()), (400, vec!["body".to_owned()]));
    let too_much = request(&api, NDJSON).header("content-length", (1_u64 << 30) + 1);
    // It is refused by its head; none of it need be sent.
    let answer = Answer::of(too_much.body(fed().1)).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    assert_eq!(one::<i64>(&pool, "SELECT count(*) FROM upcoach.users").await, 0);
    api.stop().await;
}

/// Also where it has sent little of its file when it is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_imports_nothing_and_is_told_so_however_long_the_file() {
    let api = Api::start().await;
    let line = Bytes::from("x".repeat(64 << 10));
    let long = futures::stream::iter((0..512).map(move |_| Ok::<_, Infallible>(line.clone())));
    let viewer = api.client.post(api.url(PATH)).bearer_auth(testkit::tokens::viewer()).header("content-type", NDJSON);
    let answer = Answer::of(viewer.body(reqwest::Body::wrap_stream(long))).await;
    assert_eq!((answer.status, &answer.json()["code"]), (403, &json!("AUTH_FAILED")));
    assert_eq!(one::<i64>(&api.pool().await, "SELECT count(*) FROM sync.batches").await, 0);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_one_import_of_one_file_for_a_day() {
    let api = Api::start().await;
    let pool = api.pool().await;
    let file = format!("{}[]\n", users(0..3));
    let first = keyed(&api, "k", &file).await;
    assert_eq!(counts(&first), [3, 0, 0, 1]);
    let mut same = keyed(&api, "k", &file).await.json();
    assert_eq!(same["isResumed"].take(), json!(true));
    let mut expected = first.json();
    expected["isResumed"].take();
    assert_eq!(same, expected, "as it ended, its errors too");
    for other in [users(0..2), users(0..4), format!("{file}{}", users(5..6)), String::new()] {
        let answer = keyed(&api, "k", &other).await;
        assert_eq!((answer.status, answer.wrong_fields()), (409, vec!["Idempotency-Key".to_owned()]), "{answer:?}");
    }
    sqlx::query("INSERT INTO sync.batches (kind, idempotency_key) VALUES ('full_sync', 'theirs')")
        .execute(&pool)
        .await
        .expect("another batch");
    assert_eq!(keyed(&api, "theirs", &file).await.status, 409);
    sqlx::query("UPDATE sync.batches SET created_at = created_at - interval '25 hours'")
        .execute(&pool)
        .await
        .expect("a day later");
    assert_eq!(counts(&keyed(&api, "k", &users(0..4)).await), [1, 0, 3, 0]);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_leaves_whole_batches_and_goes_on_with_its_key() {
    let api = Api::start().await;
    let pool = api.pool().await;
    let (feed, body) = fed();
    let sending = tokio::spawn(request(&api, NDJSON).header("idempotency-key", "k").body(body).send());
    feed.send(format!("[]\n{}", users(0..1500))).expect("read");
    users_become(&pool, 999).await;
    sending.abort();
    eventually(DEADLINE, "its end is noted", || async {
        one::<i64>(&pool, "SELECT count(*) FROM sync.batches WHERE status = 'failed'").await == 1
    })
    .await;
    let error = "after 1000 records: the file can't be read any further: the body broke off";
    assert!(one::<String>(&pool, "SELECT error FROM sync.batches").await.starts_with(error));
    assert_eq!(one::<i64>(&pool, "SELECT count(*) FROM upcoach.users").await, 999);

    let answer = keyed(&api, "k", &format!("[]\n{}", users(0..1500))).await;
    assert_eq!(counts(&answer), [1500, 0, 0, 1]);
    assert_eq!((&answer.json()["isResumed"], &answer.json()["errors"][0]["line"]), (&json!(true), &json!(1)));
    assert_eq!(one::<i64>(&pool, "SELECT count(*) FROM sync.requests").await, 1500, "none asked for twice");
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_stands_still_is_given_up_told_how_to_go_on_and_leaves_whole_batches() {
    let api = Api::start().await;
    let pool = api.pool().await;
    let (feed, body) = fed();
    let sending = tokio::spawn(Answer::of(request(&api, NDJSON).header("idempotency-key", "k").body(body)));
    // All of one batch, and half a line.
    feed.send(format!("{}{{\"entityType\"", users(0..1500))).expect("read");
    let answer = sending.await.expect("no panic");
    assert_eq!((answer.status, answer.json()["code"].as_str()), (408, Some("TIMEOUT")), "{answer:?}");
    assert!(answer.text.contains("send the same file with the same Idempotency-Key"), "{answer:?}");
    drop(feed);
    assert_eq!(one::<i64>(&pool, "SELECT count(*) FROM upcoach.users").await, 1000);
    assert_eq!(one::<String>(&pool, "SELECT status::text FROM sync.batches").await, "failed");
    assert_eq!(counts(&keyed(&api, "k", &users(0..1600)).await), [1600, 0, 0, 0]);
    assert_eq!(one::<i64>(&pool, "SELECT count(*) FROM sync.requests").await, 1600, "none asked for twice");
    api.stop().await;
}

#[rstest]
#[case("import.before_commit:2", 1000)]
#[case("import.after_commit:2", 2000)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_whose_process_dies_goes_on_behind_what_it_has_committed(#[case] point: &str, #[case] committed: i64) {
    let mut api = Api::start_with(|options| options.env("ERP_FAILPOINT", point)).await;
    let pool = api.pool().await;
    let file = users(0..2500);
    let sent = request(&api, NDJSON).header("idempotency-key", "k").body(file.clone()).send().await;
    assert!(sent.is_err(), "{sent:?}");
    let end = api.service.until_ended(DEADLINE).await.expect("it died");
    assert!(end.contains("signal: 6"), "{end}");
    assert_eq!(one::<i64>(&pool, "SELECT count(*) FROM upcoach.users").await, committed);
    let noted = "SELECT (resume_after ->> 'records')::bigint FROM sync.batches WHERE status = 'running'";
    assert_eq!(one::<i64>(&pool, noted).await, committed);

    let (database, broker) = api.leave();
    let api = Api::start_on(database, broker, |options| options).await;
    let answer = keyed(&api, "k", &file).await;
    assert_eq!(counts(&answer), [2500, 0, 0, 0]);
    assert_eq!(one::<i64>(&pool, "SELECT count(*) FROM sync.requests").await, 2500);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_overtaken_by_an_orderly_stop_is_told_how_to_go_on() {
    let api = Api::start().await;
    let pool = api.pool().await;
    let (feed, body) = fed();
    let sending = tokio::spawn(Answer::of(request(&api, NDJSON).header("idempotency-key", "k").body(body)));
    feed.send(users(0..1500)).expect("read");
    users_become(&pool, 1000).await;
    let (database, broker) = api.stop().await;
    let answer = sending.await.expect("no panic");
    assert_eq!((answer.status, answer.header("retry-after")), (503, "2"), "{answer:?}");
    assert_eq!(one::<String>(&pool, "SELECT status::text FROM sync.batches").await, "failed");
    drop(feed);

    let api = Api::start_on(database, broker, |options| options).await;
    assert_eq!(counts(&keyed(&api, "k", &users(0..1500)).await), [1500, 0, 0, 0]);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_memory_does_not_grow_with_the_file_and_a_third_one_waits_its_turn() {
    let api = Api::start().await;
    let pool = api.pool().await;
    let resident = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", api.service.process().expect("it runs").pid))
            .expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory").to_owned();
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
    };
    let (feed, body) = fed();
    let (_other_feed, other_body) = fed();
    let sending = tokio::spawn(Answer::of(request(&api, NDJSON).body(body)));
    let other = tokio::spawn(request(&api, NDJSON).body(other_body).send());
    feed.send(users(0..3000)).expect("read");
    users_become(&pool, 3000).await;
    eventually(DEADLINE, "the other has begun", || async {
        one::<i64>(&pool, "SELECT count(*) FROM sync.batches WHERE status = 'running'").await == 2
    })
    .await;
    let third = import(&api, &users(0..1)).await;
    assert_eq!((third.status, third.header("retry-after")), (503, "30"), "{third:?}");
    let early = resident();
    for thousand in 3..20 {
        feed.send(users(thousand * 1000..(thousand + 1) * 1000)).expect("read");
    }
    users_become(&pool, 20_000).await;
    let late = resident();
    assert!(late < early + 8 * 1024, "{early} KiB after 3,000 records, {late} KiB after 20,000");
    drop(feed);
    assert_eq!(counts(&sending.await.expect("no panic"))[0], 20_000);
    other.abort();
    let _aborted = other.await;
    let listed: Value = api.get("/api/erp/batches?kind=import").await.json();
    assert_eq!(listed["pagination"]["total"], json!(2), "the third left nothing");
    api.stop().await;
}
