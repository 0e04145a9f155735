//! `down`: asks the owner of all servers to end, which stops them in order, and makes sure that none is left.

use std::process::ExitCode;
use std::time::Duration;

use local_stack::stack::data_dir;
use local_stack::state::{Ownership, State};
use local_stack::wait;
use rustix::process::Signal;

use crate::say::say;

/// Services get a minute each to finish what they have in hand, side by side; then broker and database.
const STOPPED_WITHIN: Duration = Duration::from_secs(200);

/// Stops everything.
pub(crate) async fn down() -> anyhow::Result<ExitCode> {
    let layout = data_dir()?;
    let running = State::running(&layout);
    if let Some(state) = &running {
        state.owner.signal(Signal::TERM);
        if wait::until_gone(STOPPED_WITHIN, "the stack to stop", state.owner).await.is_err() {
            say("It does not stop and is killed.");
            state.owner.signal(Signal::KILL);
            wait::until_gone(STOPPED_WITHIN, "the stack to die", state.owner).await?;
        }
    }
    // Also ends what an owner that was killed has left.
    Ownership::take(&layout).await?;
    match running {
        Some(state) => {
            say(&format!("The stack in {} is stopped ({} servers).", layout.root().display(), state.servers.len()))
        }
        None => say(&format!("No stack runs in {}.", layout.root().display())),
    }
    Ok(ExitCode::SUCCESS)
}
