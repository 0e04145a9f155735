//! The tries inside a call: full jitter under a bound that doubles. Reads can be repeated after every failure that a repeat can mend.

use std::time::Duration;

use domain::retry::RETRY_AFTER_INLINE;

use crate::StripeError;

/// No pause of ours is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Tries until there is a verdict.
pub(crate) async fn run<T, F, Fut>(pause: Duration, max_tries: u32, mut attempt: F) -> Result<T, StripeError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, StripeError>>,
{
    let mut tries = 0;
    loop {
        tries += 1;
        let error = match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let asked = error.retry_after().unwrap_or(Duration::ZERO);
        if tries >= max_tries || !error.retry_helps() || asked > RETRY_AFTER_INLINE {
            return Err(error);
        }
        tokio::time::sleep(drawn(pause, tries).max(asked)).await;
    }
}

/// Between nothing and the bound of this try.
fn drawn(pause: Duration, tries: u32) -> Duration {
    let bound = pause.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
    rand::random_range(Duration::ZERO..=bound)
}
