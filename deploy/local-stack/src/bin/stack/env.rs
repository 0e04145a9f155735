//! `env`: how to reach what runs, as KEY=value lines that a shell can evaluate; each time with new tokens.

use std::process::ExitCode;

use local_stack::sign_in::ways_in;
use local_stack::stack::data_dir;
use local_stack::state::State;
use time::OffsetDateTime;

use crate::say::{complain, say};

/// Prints the lines. Without a running stack there are none, and the exit status is 1.
pub(crate) fn env() -> anyhow::Result<ExitCode> {
    let layout = data_dir()?;
    let Some(state) = State::running(&layout) else {
        complain(&format!("no stack runs in {}; `./justw up` starts one", layout.root().display()));
        return Ok(ExitCode::FAILURE);
    };
    for (name, value) in &state.env {
        say(&format!("{name}={value}"));
    }
    for (name, value) in ways_in(|name| state.env(name), OffsetDateTime::now_utc()) {
        say(&format!("{name}={value}"));
    }
    say(&format!("STACK_PID={}", state.owner.pid));
    for server in &state.servers {
        if let Some(process) = server.process.filter(|process| process.is_alive()) {
            let name = server.name.to_uppercase().replace('-', "_");
            say(&format!("{name}_PID={}", process.pid));
        }
    }
    Ok(ExitCode::SUCCESS)
}
