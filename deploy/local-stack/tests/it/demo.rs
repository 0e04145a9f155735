//! The demonstration is a test of the whole path, so it is one.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use local_stack::{ProcessId, wait};
use rustix::process::Signal;

use crate::support::{OwnStack, all_gone, text};

#[tokio::test]
async fn demo_once_ends_by_itself_with_everything_in_flasherp_exactly_once() {
    let stack = OwnStack::new();
    let output = stack.run(&["demo", "--once"]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    for words in ["201 of 201", "Everything arrived exactly once.", "median"] {
        assert!(said.contains(words), "{words} is missing in:\n{said}");
    }
    assert!(stack.must(&["down"]).contains("No stack runs"), "it has stopped everything");
}

#[tokio::test]
async fn ctrl_c_and_kill_end_a_demonstration_with_all_its_servers() {
    for signal in [Signal::INT, Signal::TERM, Signal::KILL] {
        let stack = OwnStack::new();
        let mut demo = stack.command(&["demo"]).stdout(Stdio::piped()).spawn().expect("started");
        let lines = BufReader::new(demo.stdout.take().expect("piped"));
        let begun = lines.lines().map_while(Result::ok).any(|line| line.starts_with("1. "));
        assert!(begun, "the first act begins");
        let processes = stack.processes();
        assert!(processes.len() > 6);
        ProcessId::of(demo.id()).expect("it runs").signal(signal);
        demo.wait().expect("it ends");
        all_gone(processes).await;
        let free = wait::until(Duration::from_secs(30), "the port to be free", || async {
            local_stack::ports::is_free(stack.base)
        });
        free.await.expect("free");
    }
}
