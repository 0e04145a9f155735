//! Calls of FlashERP that are tried again for a while: an outage of some minutes must not make a run of an hour worthless.

use std::future::Future;
use std::time::Duration;

use flasherp::{Call, CallError, CallResult};
use syncs::target::Target;
use tokio::time::Instant;

/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(15);
/// The first.
const FIRST: Duration = Duration::from_millis(500);
/// Calls, each of several tries, that fail at one record before FlashERP is asked how it is.
const FOR_ONE: u32 = 3;

/// Calls until it succeeds, waiting is of no use, or `patience` is over.
///
/// # Errors
/// The last failure.
pub(crate) async fn patiently<T, F>(patience: Duration, call: impl Fn() -> F) -> CallResult<T>
where
    F: Future<Output = CallResult<T>>,
{
    tried(patience, call, || std::future::ready(false)).await
}

/// The same for a call that reads one record: where FlashERP fails at it again and again and says that it is well, it is the record, and the others need not
/// wait for all of `patience`.
///
/// # Errors
/// The last failure.
pub(crate) async fn patiently_one<T, F>(
    patience: Duration,
    target: &Target,
    ask: &Call,
    call: impl Fn() -> F,
) -> CallResult<T>
where
    F: Future<Output = CallResult<T>>,
{
    tried(patience, call, || async { target.client.health(ask).await.is_ok() }).await
}

async fn tried<T, F, W>(patience: Duration, call: impl Fn() -> F, is_well: impl Fn() -> W) -> CallResult<T>
where
    F: Future<Output = CallResult<T>>,
    W: Future<Output = bool>,
{
    let until = Instant::now() + patience;
    let mut pause = FIRST;
    let mut failures_of_its_own = 0;
    loop {
        let error = match call().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let wait = error.retry_after.unwrap_or(pause).min(LONGEST);
        if !may_help(&error) || Instant::now() + wait > until {
            return Err(error);
        }
        if !is_away(&error) {
            failures_of_its_own += 1;
            if failures_of_its_own >= FOR_ONE && is_well().await {
                return Err(error);
            }
        }
        tracing::warn!(
            code = error.code.as_str(),
            error = error.to_string(),
            "FlashERP can't be read now; trying again"
        );
        tokio::time::sleep(wait).await;
        pause = (pause * 2).min(LONGEST);
    }
}

/// Whether it is not this call that FlashERP can't serve, but FlashERP that can't be read: it is away, turns us or everybody away, or the gate to it is shut.
pub(crate) fn is_away(error: &CallError) -> bool {
    error.handed_back || !error.sent || error.locks_us_out() || error.turns_everyone_away()
}

fn may_help(error: &CallError) -> bool {
    error.handed_back || error.retry_helps()
}
