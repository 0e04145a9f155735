//! Calls of FlashERP that are tried again for a while: an outage of some minutes must not make a run of an hour worthless.

use std::future::Future;
use std::time::Duration;

use flasherp::{CallError, CallResult};
use tokio::time::Instant;

/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(15);
/// The first.
const FIRST: Duration = Duration::from_millis(500);

/// Calls until it succeeds, waiting is of no use, or `patience` is over.
///
/// # Errors
/// The last failure.
pub(crate) async fn patiently<T, F>(patience: Duration, call: impl Fn() -> F) -> CallResult<T>
where
    F: Future<Output = CallResult<T>>,
{
    let until = Instant::now() + patience;
    let mut pause = FIRST;
    loop {
        let error = match call().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let wait = error.retry_after.unwrap_or(pause).min(LONGEST);
        if !may_help(&error) || Instant::now() + wait > until {
            return Err(error);
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

fn may_help(error: &CallError) -> bool {
    error.handed_back || error.retry_helps()
}
