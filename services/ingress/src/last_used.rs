//! Notes which of FlashERP's webhook secrets was used last, to the minute: whoever rotates a secret sees when the old one can go. Never in the way
//! of an answer; what is lost when a process dies is noted by the next delivery.

use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::endpoint::Secret;

/// How often each is noted at most.
const INTERVAL: Duration = Duration::from_secs(60);
/// Uses that may wait to be noted; of more it makes no difference.
const WAITING: usize = 64;

/// Where uses are told.
pub(crate) fn channel() -> (mpsc::Sender<Secret>, mpsc::Receiver<Secret>) {
    mpsc::channel(WAITING)
}

/// Notes uses until `stop`.
pub(crate) async fn note_uses(pool: PgPool, mut uses: mpsc::Receiver<Secret>, stop: CancellationToken) {
    let (mut current, mut previous) = (None::<Instant>, None::<Instant>);
    while let Some(Some(secret)) = stop.run_until_cancelled(uses.recv()).await {
        let noted = match secret {
            Secret::Current => &mut current,
            Secret::Previous => &mut previous,
            // Its use is no business of the row's.
            Secret::Environment => continue,
        };
        if noted.is_some_and(|at| at.elapsed() < INTERVAL) {
            continue;
        }
        service::failpoint!("ingress.before_secret_use");
        let wrote = sqlx::query("SELECT config.record_webhook_secret_use($1)")
            .bind(secret == Secret::Previous)
            .execute(&pool)
            .await;
        service::failpoint!("ingress.after_secret_use");
        match wrote {
            Ok(_) => *noted = Some(Instant::now()),
            Err(error) => tracing::debug!(error = error.to_string(), "the use of a webhook secret could not be noted"),
        }
    }
}
