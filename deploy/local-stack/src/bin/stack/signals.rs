//! Being asked to end: Ctrl-C, `kill`, a closed terminal, or the death of the process that started this one.

use anyhow::Context as _;
use rustix::process::{Signal, set_parent_process_death_signal};
use tokio::signal::unix::{SignalKind, signal};

/// Asks the kernel to ask this process to end when `just`, which started it, is gone.
pub(crate) fn end_with_parent() -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::TERM)).context("can't ask to be ended with the parent process")
}

/// Waits until this process is asked to end.
pub(crate) async fn asked_to_end() -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("can't wait for signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("can't wait for signals")?;
    let mut hang_up = signal(SignalKind::hangup()).context("can't wait for signals")?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(())
}
