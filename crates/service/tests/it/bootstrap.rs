//! From start to stop, with a program that stops in order, or not at all, or too early.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use service::port_file::Ports;
use testkit::eventually_some;

use crate::kit::{DEADLINE, client};

/// The example program, beside this test's own.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own program");
    test.ancestors().nth(2).expect("it stands two folders below").join("examples/lingering")
}

fn start(behaviour: &str, port_file: &Path) -> Child {
    Command::new(program())
        .arg(behaviour)
        .env_clear()
        .env("MANAGEMENT_ADDR", "127.0.0.1:0")
        .env("HTTP_ADDR", "127.0.0.1:0")
        .env("ERP_PORT_FILE", port_file)
        .env("ERP_SHUTDOWN_GRACE_SECS", "1")
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts")
}

async fn ports(port_file: &Path) -> Ports {
    eventually_some(DEADLINE, "the port file", || async { Ports::read(port_file).expect("readable") }).await
}

fn terminate(child: &Child) {
    kill_process(Pid::from_child(child), Signal::TERM).expect("it runs");
}

/// Waits for its end: the exit status, and the log.
fn ended(mut child: Child) -> (Option<i32>, Vec<Value>) {
    let mut log = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut log).expect("UTF-8");
    let status = child.wait().expect("it ends");
    (status.code(), log.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect())
}

fn has(log: &[Value], message: &str, error: &str) -> bool {
    log.iter().any(|line| {
        line["message"] == message && line["fields"]["error"].as_str().is_some_and(|found| found.contains(error))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_ends_it_in_order_with_exit_status_0() {
    let folder = tempfile::tempdir().expect("a folder");
    let port_file = folder.path().join("ports.json");
    let child = start("stops", &port_file);
    let ports = ports(&port_file).await;
    assert_eq!(ports.http, None);
    let health: Value = client()
        .get(format!("http://{}/healthz", ports.management))
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!((&health["pid"], &health["service"]), (&child.id().into(), &"flasherp-sandbox".into()));
    let ready = client().get(format!("http://{}/readyz", ports.management)).send().await.expect("an answer");
    assert_eq!(ready.status(), 200);
    terminate(&child);
    let (code, log) = ended(child);
    assert_eq!(code, Some(0));
    assert!(log.iter().any(|line| line["message"] == "stopped"), "{log:?}");
    assert!(log.iter().all(|line| line["instance"] == health["instance"]), "{log:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_does_not_finish_within_the_grace_period_is_cut_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let port_file = folder.path().join("ports.json");
    let child = start("ignores-the-signal", &port_file);
    ports(&port_file).await;
    terminate(&child);
    let (code, log) = ended(child);
    assert_eq!(code, Some(1));
    assert!(has(&log, "flasherp-sandbox failed", "did not finish within ERP_SHUTDOWN_GRACE_SECS (1 s)"), "{log:?}");
}

#[test]
fn one_that_ends_unasked_fails_or_panics_has_exit_status_1_and_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    for (behaviour, error) in
        [("ends-unasked", "ended without being asked to"), ("fails", "the effect: the cause"), ("panics", "panicked")]
    {
        let (code, log) = ended(start(behaviour, &folder.path().join(behaviour)));
        assert_eq!(code, Some(1), "{behaviour}");
        assert!(has(&log, "flasherp-sandbox failed", error), "{behaviour}: {log:?}");
        let panicked =
            log.iter().any(|line| line["message"] == "panicked" && line["fields"]["panic"] == "a task's panic");
        assert_eq!(panicked, behaviour == "panics", "{log:?}");
    }
}
