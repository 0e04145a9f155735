//! `demo`: everything is started, Stripe tells of payments, and what becomes of them is told in plain words.
//!
//! Three acts: one payment, step by step; a hundred in a steady stream, some of them told twice; a hundred at once in any
//! order, many told twice. Then the books are compared: every payment must be in FlashERP exactly once, with its amount.

mod acts;
mod books;
mod ledger;
mod sandbox;
mod summary;

use std::process::ExitCode;

use anyhow::bail;
use local_stack::sign_in::ways_in;
use local_stack::stack::{Stack, StackSettings};
use time::OffsetDateTime;

use crate::say::say;
use crate::signals::{asked_to_end, end_with_parent};

/// Runs the demonstration; with `once` it ends by itself, successful only when everything arrived exactly once.
pub(crate) async fn demo(once: bool) -> anyhow::Result<ExitCode> {
    end_with_parent()?;
    let settings = StackSettings::read()?;
    if let Some(other) = settings.other_flasherp() {
        bail!(
            "the demonstration sends payments into a sandbox, and FLASHERP_BASE_URL={other} says that there is to be none"
        );
    }
    let end = asked_to_end();
    tokio::pin!(end);

    say("Starting PostgreSQL, NATS and the services ...");
    let started = tokio::select! {
        started = Stack::start(settings, |line| say(&format!("  {line}"))) => started,
        ended = &mut end => return ended.map(|()| ExitCode::FAILURE),
    };
    let mut stack = started?;
    let shown = tokio::select! {
        shown = show(&mut stack, once) => shown,
        ended = &mut end => ended.map(|()| ExitCode::SUCCESS),
    };
    say("Stopping everything ...");
    stack.stop().await?;
    shown
}

/// The acts and the comparison, while the stack is tended; then, unless `once`, the stack alone.
async fn show(stack: &mut Stack, once: bool) -> anyhow::Result<ExitCode> {
    let mut stage = acts::Stage::of(stack).await?;
    let acts = async {
        let played = acts::play(&mut stage).await?;
        let books = books::compare(&mut stage, &played).await?;
        summary::tell(&played, &books);
        anyhow::Ok(books.is_right())
    };
    let right = tokio::select! {
        right = acts => right?,
        () = stack.tend(complain) => false,
    };
    if once {
        return Ok(if right { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    say("");
    let ways_in = ways_in(|name| stack.env(name), OffsetDateTime::now_utc());
    if let Some((_, link)) = ways_in.iter().find(|(name, _)| *name == "SIGN_IN_URL") {
        say(&format!("Sign in as an admin (the link holds for an hour, `./justw env` makes a new one):\n{link}"));
    }
    say(
        "Everything runs on until Ctrl-C. In another terminal, `./justw status`, `./justw logs -f` and `./justw env` tell more.",
    );
    stack.tend(complain).await;
    Ok(ExitCode::SUCCESS)
}

fn complain(line: &str) {
    say(&format!("  ! {line}"));
}
