//! A stack of a test's own, on the command line.

use std::collections::HashMap;
use std::process::{Command, Output};
use std::time::Duration;

use local_stack::ports::{PortPlan, Seat, is_free};
use local_stack::{ProcessId, Scratch, ports, wait};

/// A data folder and 20 ports; what runs there is ended with it.
pub(crate) struct OwnStack {
    folder: Scratch,
    /// `ERP_PORT_BASE`.
    pub(crate) base: u16,
}

impl OwnStack {
    pub(crate) fn new() -> Self {
        Self { folder: Scratch::new().expect("a folder"), base: free_base() }
    }

    /// The `stack` program with `arguments`, in this stack's environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stack"));
        // The services that the tests of this workspace use stand beside it.
        command.args(arguments).env("ERP_PORT_BASE", self.base.to_string()).env("ERP_DATA_DIR", self.data());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program runs")
    }

    /// Runs it; its exit status must be 0.
    pub(crate) fn must(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "stack {arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.folder.join("data")
    }

    /// What `env` prints.
    pub(crate) fn env(&self) -> HashMap<String, String> {
        let lines = self.must(&["env"]);
        lines
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// Every process of it, with PostgreSQL's own.
    pub(crate) fn processes(&self) -> Vec<ProcessId> {
        let servers = pids(&self.env());
        let children: Vec<ProcessId> = servers.iter().flat_map(|server| server.children()).collect();
        servers.into_iter().chain(children).collect()
    }
}

impl Drop for OwnStack {
    fn drop(&mut self) {
        drop(self.command(&["down"]).output());
    }
}

/// The processes that `env` names.
pub(crate) fn pids(env: &HashMap<String, String>) -> Vec<ProcessId> {
    let pids = env.iter().filter(|(name, _)| name.ends_with("_PID"));
    pids.map(|(name, pid)| ProcessId::of(pid.parse().expect("a number")).unwrap_or_else(|| panic!("{name} runs")))
        .collect()
}

pub(crate) async fn all_gone(processes: Vec<ProcessId>) {
    for process in processes {
        wait::until_gone(Duration::from_secs(30), "a process of the stack to end", process).await.expect("gone");
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The first of 20 ports that are free now.
fn free_base() -> u16 {
    let all_free = |base: &u16| {
        let plan = PortPlan::read(|name| (name == "ERP_PORT_BASE").then(|| base.to_string())).expect("a port");
        Seat::ALL.iter().all(|seat| is_free(plan.port(*seat)))
    };
    (0..100).map(|_| ports::free("a test").expect("a free port")).find(all_free).expect("20 free ports in a row")
}
