//! A child ends with its owner, also when the owner is killed.
//!
//! The owner is this test's own program, started again to run the test that is meant for it: it starts servers, says
//! which, and waits to be killed.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use local_stack::binaries::Binaries;
use local_stack::{Nats, NatsOptions, Postgres, PostgresOptions, ProcessId, wait};

const OWNER: &str = "LOCAL_STACK_TEST_OWNER_DIR";

#[tokio::test]
async fn servers_end_when_their_owner_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut owner = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "lifetime::owner_of_servers", "--nocapture", "--ignored"])
        .env(OWNER, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let said = BufReader::new(owner.stdout.take().expect("piped"))
        .lines()
        .map_while(|line| line.ok())
        .find_map(|line| line.split_once("servers: ").map(|(_, rest)| rest.to_owned()))
        .expect("the owner says what it started");
    let servers: Vec<ProcessId> = serde_json::from_str(&said).expect("process ids");
    assert_eq!(servers.len(), 2);
    let backends: Vec<ProcessId> = servers.iter().flat_map(|server| server.children()).collect();
    assert!(!backends.is_empty(), "postgres has children");
    assert!(servers.iter().all(|server| server.is_alive()));

    owner.kill().expect("killed");
    owner.wait().expect("ended");

    for process in servers.into_iter().chain(backends) {
        wait::until_gone(Duration::from_secs(30), "a server without owner to end", process).await.expect("gone");
    }
}

/// Not a test of its own: what the one above starts.
#[tokio::test]
#[ignore = "started by servers_end_when_their_owner_is_killed"]
async fn owner_of_servers() {
    let folder = std::path::PathBuf::from(std::env::var_os(OWNER).expect("started by the test above"));
    let binaries = Binaries::find().expect("servers to start");
    // From a thread that ends at once, as a test's does: the servers must outlive it.
    let (dir, programs) = (folder.clone(), binaries.clone());
    let started = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let options = PostgresOptions {
            log: dir.join("postgres.log"),
            dir: dir.join("postgres"),
            port: None,
            password: "secret".to_owned(),
        };
        runtime.block_on(Postgres::start(&programs, options)).expect("postgres")
    });
    let postgres = started.join().expect("the thread ended");
    let options = NatsOptions {
        log: folder.join("nats.log"),
        dir: folder.join("nats"),
        port: None,
        monitor_port: None,
        users: String::new(),
    };
    let nats = Nats::start(&binaries, options).await.expect("nats");
    let servers = [postgres.process().expect("it outlives the thread"), nats.process().expect("it runs")];
    let words = serde_json::to_string(&servers).expect("written");
    std::io::Write::write_all(&mut std::io::stdout(), format!("\nservers: {words}\n").as_bytes()).expect("written");
    std::future::pending::<()>().await;
}
