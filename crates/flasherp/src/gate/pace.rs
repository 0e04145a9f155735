//! Grants under the shared cap of requests a second (`FLASHERP_MAX_RPS`).
//!
//! Grants are moments, evenly spaced over all workers: the row says until when they are given out, and a process takes as many as it has waiting,
//! a tenth of a second's at most, in one statement. So the cap holds in every second, also across a worker's start, and no worker starves the
//! others. What a dying process had taken is lost.

use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Pause before the database is asked again.
const PAUSE: Duration = Duration::from_millis(200);

/// Gives out moments. Clones share the queue.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    waiting: mpsc::UnboundedSender<oneshot::Sender<Instant>>,
}

impl Pace {
    /// Starts the task that takes grants; it ends with the last clone.
    pub(super) fn start(pool: PgPool, per_second: u32) -> Self {
        let (waiting, queue) = mpsc::unbounded_channel();
        tokio::spawn(grant(pool, per_second.max(1), queue));
        Self { waiting }
    }

    /// Waits until a request may be sent.
    pub(super) async fn turn(&self) {
        let (granted, moment) = oneshot::channel();
        if self.waiting.send(granted).is_ok()
            && let Ok(moment) = moment.await
        {
            tokio::time::sleep_until(moment).await;
        }
    }
}

async fn grant(pool: PgPool, per_second: u32, mut queue: mpsc::UnboundedReceiver<oneshot::Sender<Instant>>) {
    let most = usize::try_from(per_second / 10).unwrap_or(1).max(1);
    let spacing = Duration::from_secs(1) / per_second;
    let mut waiting = Vec::with_capacity(most);
    while queue.recv_many(&mut waiting, most).await > 0 {
        let asked = Instant::now();
        let mut first = asked + first_grant(&pool, waiting.len(), per_second).await;
        for granted in waiting.drain(..) {
            // Whoever waited may have been cancelled; its moment passes unused.
            let _gone = granted.send(first);
            first += spacing;
        }
    }
}

/// How long until the first of so many. While the database is away nothing is granted.
async fn first_grant(pool: &PgPool, requests: usize, per_second: u32) -> Duration {
    let requests = i32::try_from(requests).unwrap_or(i32::MAX);
    let per_second = i32::try_from(per_second).unwrap_or(i32::MAX);
    loop {
        let granted = sqlx::query_scalar::<_, i64>("SELECT sync.gate_grant($1, $2)")
            .bind(requests)
            .bind(per_second)
            .fetch_one(pool)
            .await;
        match granted {
            Ok(micros) => return Duration::from_micros(u64::try_from(micros).unwrap_or(0)),
            Err(error) => {
                tracing::debug!(error = error.to_string(), stage = "gate", "no requests can be granted; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
