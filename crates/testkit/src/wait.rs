//! Waiting for what must come true, with a deadline and without sleeping in the test.

use std::future::Future;
use std::time::Duration;

/// Looks at `condition` again and again until it is true.
///
/// # Panics
/// When it is not within `limit`, naming `what`.
#[track_caller]
pub fn eventually<F, Fut>(limit: Duration, what: &str, condition: F) -> impl Future<Output = ()>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let caller = std::panic::Location::caller();
    async move {
        if let Err(late) = local_stack::wait::until(limit, what, condition).await {
            panic!("{late} ({caller})");
        }
    }
}

/// Looks at `condition` again and again until it gives a value.
///
/// # Panics
/// When it does not within `limit`, naming `what`.
#[track_caller]
pub fn eventually_some<T, F, Fut>(limit: Duration, what: &str, condition: F) -> impl Future<Output = T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let caller = std::panic::Location::caller();
    async move {
        match local_stack::wait::until_some(limit, what, condition).await {
            Ok(value) => value,
            Err(late) => panic!("{late} ({caller})"),
        }
    }
}
