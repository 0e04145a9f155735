//! Waiting for a condition with a deadline. The only place that sleeps: everything that waits, here and in the
//! tests, waits through this.

use std::future::Future;
use std::time::{Duration, Instant};

use crate::{Result, StackError};

/// The longest pause between two looks at the condition.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Looks at `condition` again and again until it gives a value, at most for `limit`.
///
/// The pauses grow from 1 ms to 50 ms. The condition is looked at once more after the deadline has passed, so a slow
/// machine never fails without having looked.
///
/// # Errors
/// [`StackError::TimedOut`] naming `what`.
pub async fn until_some<T, F, Fut>(limit: Duration, what: &str, mut condition: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(1);
    loop {
        let late = Instant::now() >= deadline;
        if let Some(value) = condition().await {
            return Ok(value);
        }
        if late {
            return Err(StackError::TimedOut { what: what.to_owned(), seconds: limit.as_secs() });
        }
        pause_for(pause.min(deadline.saturating_duration_since(Instant::now()))).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// [`until_some`] for a condition that is true or false.
///
/// # Errors
/// [`StackError::TimedOut`] naming `what`.
pub async fn until<F, Fut>(limit: Duration, what: &str, mut condition: F) -> Result<()>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    until_some(limit, what, || {
        let look = condition();
        async move { look.await.then_some(()) }
    })
    .await
}

/// Waits until `process` is gone.
///
/// # Errors
/// [`StackError::TimedOut`] when it still runs after `limit`.
pub async fn until_gone(limit: Duration, what: &str, process: crate::ProcessId) -> Result<()> {
    until(limit, what, || async move { !process.is_alive() }).await
}

async fn pause_for(pause: Duration) {
    tokio::time::sleep(pause).await;
}
