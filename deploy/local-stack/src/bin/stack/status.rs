//! `status`: what runs, where, and whether it is ready.

use std::process::ExitCode;

use local_stack::http;
use local_stack::stack::{data_dir, describe};
use local_stack::state::{Phase, Server, State};

use crate::say::say;

/// Says what runs. Success when everything is ready.
pub(crate) async fn status() -> anyhow::Result<ExitCode> {
    let layout = data_dir()?;
    let Some(state) = State::running(&layout) else {
        say(&format!("No stack runs in {}. `./justw up` starts one.", layout.root().display()));
        return Ok(ExitCode::FAILURE);
    };
    say(&format!("{:<18} {:>8}  {:<12} {:>8}  {}", "server", "pid", "state", "restarts", "address"));
    let mut all_ready = state.phase == Phase::Ready;
    for server in &state.servers {
        let (word, ready) = how_it_is(server).await?;
        all_ready &= ready;
        let pid = server.process.map_or_else(|| "-".to_owned(), |process| process.pid.to_string());
        let address = describe(server.addresses);
        say(&format!("{:<18} {pid:>8}  {word:<12} {:>8}  {address}", server.name, server.restarts));
    }
    say(&format!("data and logs: {}", layout.root().display()));
    Ok(if all_ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn how_it_is(server: &Server) -> anyhow::Result<(&'static str, bool)> {
    if !server.process.is_some_and(|process| process.is_alive()) {
        return Ok(("gone", false));
    }
    // PostgreSQL and NATS answered before they were written down.
    let has_readiness = !matches!(server.name.as_str(), "postgres" | "nats");
    let Some(management) = server.addresses.management.filter(|_| has_readiness) else { return Ok(("running", true)) };
    let answer = http::client()?.get(format!("http://{management}/readyz")).send().await;
    Ok(match answer {
        Ok(answer) if answer.status() == 200 => ("ready", true),
        Ok(_) => ("not ready", false),
        Err(_) => ("no answer", false),
    })
}
