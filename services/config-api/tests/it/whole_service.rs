//! The program itself, from start to stop.

use std::time::Duration;

use events::traffic::Party;
use events::{ConfigChanged, Event};
use messaging::{Broker, BrokerOptions, Heard};
use serde_json::Value;
use testkit::{Scratch, Service, ServiceOptions, TestBroker, TestDatabase, eventually, eventually_some};
use tokio_util::sync::CancellationToken;

use crate::kit::{KEYS, count, rows};

const DEADLINE: Duration = Duration::from_secs(60);
const SECRET: &str = "fs_test_hunter2_4711";

fn options(scratch: &Scratch, database: &TestDatabase, broker: &TestBroker) -> ServiceOptions {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_config-api"));
    ServiceOptions::new("config-api", program, scratch.path())
        .env("DATABASE_URL", database.url_for("erp_config_api"))
        .env("NATS_URL", broker.url())
        .env("NATS_SUBJECT_PREFIX", broker.prefix())
        .envs(testkit::tokens::environment())
        .env("ERP_ENCRYPTION_KEYS", KEYS)
        .env("ERP_ALLOW_PRIVATE_BASE_URL", "true")
        .env("FLASHERP_ENABLED", "true")
        .env("FLASHERP_API_KEY", "fk_test_hunter2_4711")
        .env("FLASHERP_API_SECRET", SECRET)
        .env("FLASHERP_BASE_URL", "http://127.0.0.1:8084")
        .env("RUST_LOG", "debug")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_saves_the_first_configuration_tells_it_and_stops_in_order() {
    let (database, broker, scratch) =
        (TestDatabase::new().await, TestBroker::new().await, Scratch::new().expect("a folder"));
    let listener = Broker::connect(BrokerOptions {
        url: broker.url().into(),
        party: Party::Ingress,
        namespace: broker.prefix().parse().expect("a prefix"),
    })
    .await
    .expect("connects");
    let stop = CancellationToken::new();
    let (sender, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let hears = stop.clone();
    let listening = tokio::spawn(messaging::fanout::run(
        listener,
        move |heard: Heard<Event<ConfigChanged>>| {
            // The receiver is gone only when the test is over.
            drop(sender.send(heard));
        },
        hears,
    ));

    // Only what is told from here on will be heard.
    let begun = tokio::time::timeout(DEADLINE, heard.recv()).await.expect("listening begins");
    assert!(matches!(begun, Some(Heard::Gap)), "{begun:?}");

    let mut service = Service::start(options(&scratch, &database, &broker)).await.expect("it starts");
    service.until_ready(DEADLINE).await.expect("it gets ready");
    let pool = database.pool("erp_config_api").await;
    let row = eventually_some(DEADLINE, "the configuration is saved", || async { rows(&pool).await.pop() }).await;
    assert_eq!(row.api_secret, SECRET);

    // The fact leaves the outbox when the broker has it.
    eventually(DEADLINE, "the fact is told", || async { count(&pool, "config.outbox").await == 0 }).await;
    let told = tokio::time::timeout(DEADLINE, async {
        loop {
            match heard.recv().await.expect("listening") {
                Heard::Event(received) => return received.message.data,
                Heard::Gap => {}
            }
        }
    });
    let told = told.await.expect("the fact is heard");
    assert_eq!((told.configuration_id, told.version), (row.id, row.version));
    stop.cancel();
    listening.await.expect("no panic");

    assert_eq!(service.stop().await.expect("it stops"), "exit status: 0");
    let log = std::fs::read_to_string(service.log()).expect("a log");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    assert!(lines.iter().all(|line| line["service"] == "config-api"), "{log}");
    assert!(lines.iter().any(|line| line["message"] == "stopped"), "{log}");
    assert!(!log.contains("hunter2"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_starts_before_its_database_and_broker_and_says_what_it_waits_for() {
    let (database, broker, scratch) =
        (TestDatabase::new().await, TestBroker::new().await, Scratch::new().expect("a folder"));
    let options = options(&scratch, &database, &broker)
        .env("DATABASE_URL", "postgres://erp_config_api:x@127.0.0.1:1/erp")
        .env("NATS_URL", "nats://config-api:x@127.0.0.1:1")
        .env("NATS_SUBJECT_PREFIX", "");
    let mut service = Service::start(options).await.expect("it starts");
    let client = reqwest_client();
    let answer = client.get(service.management_url("/readyz")).send().await.expect("an answer");
    assert_eq!(answer.status(), 503);
    let body: Value = serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON");
    let check = |name: &str| {
        body["checks"].as_array().expect("checks").iter().find(|check| check["name"] == name).expect("a check").clone()
    };
    assert_eq!(
        (check("database")["ok"].clone(), check("database")["importance"].clone()),
        (false.into(), "required".into())
    );
    assert_eq!(
        (check("broker")["ok"].clone(), check("broker")["importance"].clone()),
        (false.into(), "warning".into())
    );
    assert_eq!(service.stop().await.expect("it stops while it waits"), "exit status: 0");
}

fn reqwest_client() -> reqwest::Client {
    service::bootstrap::install_tls_provider();
    reqwest::Client::builder().no_proxy().timeout(DEADLINE).build().expect("a client")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_it_is_small() {
    let (database, broker, scratch) =
        (TestDatabase::new().await, TestBroker::new().await, Scratch::new().expect("a folder"));
    let mut service =
        Service::start(options(&scratch, &database, &broker).env("RUST_LOG", "info")).await.expect("it starts");
    service.until_ready(DEADLINE).await.expect("it gets ready");
    let pid = service.process().expect("it runs").pid;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a status");
    // What it holds itself: the pages of its program, which a debug build has many of, are the file's. Whole, as released: `bench start`.
    let resident = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("resident memory");
    let kilobytes: u64 = resident.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(kilobytes < 40 * 1024, "{kilobytes} kB resident; 40 MB are promised");
    service.stop().await.expect("it stops");
}

#[test]
fn a_wrong_environment_stops_the_start_with_exit_status_2_and_all_mistakes() {
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_config-api"))
        .env_clear()
        .envs(
            [("DATABASE_URL", "hunter2"), ("ERP_ENCRYPTION_KEYS", "hunter2"), ("FLASHERP_API_KEI", "hunter2")]
                .into_iter()
                .chain(testkit::tokens::environment()),
        )
        .output()
        .expect("it runs");
    assert_eq!(run.status.code(), Some(2));
    let told = String::from_utf8(run.stderr).expect("UTF-8");
    for part in [
        "4 mistakes",
        "DATABASE_URL:",
        "NATS_URL: is missing",
        "ERP_ENCRYPTION_KEYS: entry 1",
        "did you mean FLASHERP_API_KEY?",
    ] {
        assert!(told.contains(part), "no `{part}` in {told}");
    }
    assert!(!told.contains("hunter2"), "{told}");
}
