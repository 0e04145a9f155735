//! How many calls may be in flight at once; the number can be changed while they are.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bounds the calls in flight. Clones share the bound.
#[derive(Debug, Clone)]
pub struct Limiter {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    permits: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: usize,
    /// Permits to take away when their holders return them: the limit was lowered below what was in flight.
    owed: usize,
}

/// The right to have one call in flight; dropping it gives it back.
#[derive(Debug)]
pub struct Permit {
    permit: Option<OwnedSemaphorePermit>,
    shared: Arc<Shared>,
}

impl Limiter {
    /// A bound, at least 1.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        let permits = Arc::new(Semaphore::new(limit));
        Self { shared: Arc::new(Shared { permits, state: Mutex::new(State { limit, owed: 0 }) }) }
    }

    /// The bound now.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.shared.lock(|state| state.limit)
    }

    /// Calls in flight now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        let free = self.shared.permits.available_permits();
        self.shared.lock(|state| (state.limit + state.owed).saturating_sub(free))
    }

    /// Changes the bound (at least 1). Calls in flight above a lower one finish; no new one starts until they are below.
    pub fn set_limit(&self, limit: usize) {
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        let permits = &self.shared.permits;
        self.shared.lock(|state| {
            if limit >= state.limit {
                let grown = limit - state.limit;
                let paid = grown.min(state.owed);
                state.owed -= paid;
                permits.add_permits(grown - paid);
            } else {
                let shrunk = state.limit - limit;
                state.owed += shrunk - permits.forget_permits(shrunk);
            }
            state.limit = limit;
        });
    }

    /// Waits for a place.
    pub async fn acquire(&self) -> Permit {
        let permit = Arc::clone(&self.shared.permits).acquire_owned().await.ok();
        Permit { permit, shared: Arc::clone(&self.shared) }
    }
}

impl Shared {
    fn lock<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        // Nothing panics while it is held, and two numbers cannot be half changed.
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let permit = self.permit.take();
        self.shared.lock(|state| {
            if state.owed > 0 {
                state.owed -= 1;
                if let Some(permit) = permit {
                    permit.forget();
                }
            } else {
                drop(permit);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use proptest::prelude::*;

    fn try_acquire(limiter: &Limiter) -> Option<Permit> {
        limiter.acquire().now_or_never()
    }

    #[test]
    fn a_lowered_bound_holds_until_enough_calls_have_finished() {
        let limiter = Limiter::new(3);
        let mut held: Vec<Permit> = (0..3).map(|_| try_acquire(&limiter).expect("a place")).collect();
        limiter.set_limit(1);
        held.pop();
        held.pop();
        assert!(try_acquire(&limiter).is_none(), "one is still in flight");
        held.pop();
        let last = try_acquire(&limiter);
        assert!(last.is_some() && try_acquire(&limiter).is_none());
    }

    #[test]
    fn a_raised_bound_lets_the_waiting_go() {
        let limiter = Limiter::new(0);
        assert_eq!(limiter.limit(), 1);
        let first = try_acquire(&limiter);
        let mut waiting = Box::pin(limiter.acquire());
        assert!(first.is_some() && waiting.as_mut().now_or_never().is_none());
        limiter.set_limit(2);
        assert!(waiting.now_or_never().is_some());
    }

    proptest! {
        #[test]
        fn whatever_the_changes_no_call_starts_above_the_bound_and_none_waits_below(
            steps in proptest::collection::vec((0_usize..3, 1_usize..6), 1..80),
        ) {
            let limiter = Limiter::new(2);
            let mut held = Vec::new();
            for (step, number) in steps {
                match step {
                    0 => limiter.set_limit(number),
                    1 => { held.pop(); }
                    _ => {
                        let room = held.len() < limiter.limit();
                        let permit = try_acquire(&limiter);
                        prop_assert_eq!(permit.is_some(), room);
                        held.extend(permit);
                    }
                }
            }
        }
    }
}
