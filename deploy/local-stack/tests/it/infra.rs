//! `with-infra`: what the tests of a run stand on.

use std::process::{Command, Output};

use crate::support::text;

fn with_infra(script: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stack"));
    command.args(["with-infra", "--", "sh", "-c", script]).output().expect("run")
}

#[tokio::test]
async fn the_command_is_told_its_servers_and_its_exit_status_is_the_last_word() {
    let output = with_infra("echo $TEST_PG_ADMIN_URL $TEST_NATS_URL $TEST_NATS_MONITOR_URL; exit 7");
    assert_eq!(output.status.code(), Some(7));
    let said = text(&output.stdout);
    let urls: Vec<&str> = said.split_whitespace().collect();
    assert!(
        matches!(urls[..], [postgres, nats, monitor]
            if postgres.starts_with("postgres://postgres:") && nats.starts_with("nats://admin:") && monitor.starts_with("http://")),
        "{said}"
    );
    let port = urls[0].rsplit_once(':').and_then(|(_, rest)| rest.split_once('/')).expect("a port").0;
    assert!(local_stack::ports::is_free(port.parse().expect("a number")), "the servers ended with the command");
}
