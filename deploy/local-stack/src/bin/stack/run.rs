//! The process that `up` starts: it owns all servers, starts what ends unasked again, and stops all of them in order when
//! it is asked to end. Its lines, each with the time, are the log that `up` shows.

use std::process::ExitCode;

use local_stack::stack::{Stack, StackSettings};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::say::say;
use crate::signals::asked_to_end;

/// Starts the stack and keeps it up until asked to end.
pub(crate) async fn run() -> anyhow::Result<ExitCode> {
    let end = asked_to_end();
    tokio::pin!(end);
    let started = tokio::select! {
        started = Stack::start(StackSettings::read()?, log) => started,
        ended = &mut end => return ended.map(|()| ExitCode::FAILURE),
    };
    let mut stack = started?;
    log("everything is ready");
    tokio::select! {
        () = stack.tend(log) => {}
        ended = &mut end => ended?,
    }
    log("stopping");
    stack.stop().await?;
    log("everything is stopped");
    Ok(ExitCode::SUCCESS)
}

fn log(line: &str) {
    let now = OffsetDateTime::now_utc().replace_nanosecond(0).unwrap_or_else(|_| OffsetDateTime::now_utc());
    let now = now.format(&Rfc3339).unwrap_or_default();
    say(&format!("{now} {line}"));
}
