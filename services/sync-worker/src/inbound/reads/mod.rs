//! Reads from Stripe's API what events leave open, beside the applying of events, which never waits for it. What is read is stored as an event of
//! its own and applied like any other.
//!
//! A failure puts the wish back; a key that Stripe refuses, or too many calls, hold all of them for a while.

mod queue;

use std::time::Duration;

use ::stripe::{Client, ObjectKind, StripeError};
use futures::future::join_all;
use service::metrics::{Counter, Gauge};
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use webhooks::stripe::{NoObject, Pulled, pulled};

pub(super) use queue::ask;
use queue::{Failure, Read};

use super::apply::Applier;
use super::stripe::wants::What;

/// How often it is looked whether something is to be read.
const LOOK: Duration = Duration::from_millis(500);
/// Objects read at once. Stripe takes a hundred calls a second.
const AT_ONCE: i64 = 16;
/// How long nothing is asked after Stripe refused the key.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);
/// How long nothing is asked after too many calls, if Stripe doesn't say.
const BUSY_PAUSE: Duration = Duration::from_secs(5);

/// Why an object was not read.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error(transparent)]
    Stripe(#[from] StripeError),
    #[error(transparent)]
    NoObject(#[from] NoObject),
}

/// Reads until it is told to stop. `stated` is rung when facts were stated.
pub(super) async fn run(
    pool: PgPool,
    client: Client,
    applier: Applier,
    stated: std::sync::Arc<Notify>,
    stop: CancellationToken,
) {
    let reader = Reader { pool, client, applier };
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut held_until = Instant::now();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        while !stop.is_cancelled() && Instant::now() >= held_until {
            match reader.round().await {
                Ok(Round { read: 0, .. }) => break,
                Ok(Round { hold, .. }) => {
                    stated.notify_one();
                    if let Some(hold) = hold {
                        held_until = Instant::now() + hold;
                    }
                }
                Err(error) => {
                    Counter::DatabaseErrors.increment(&[("stage", "stripe_reads"), ("error_type", "unavailable")]);
                    tracing::warn!(error = format!("{error:#}"), "what is to be read from Stripe stays due");
                    break;
                }
            }
        }
    }
}

struct Reader {
    pool: PgPool,
    client: Client,
    applier: Applier,
}

/// What a round did.
#[derive(Debug, Default)]
struct Round {
    read: usize,
    /// How long nothing is to be asked.
    hold: Option<Duration>,
}

impl Reader {
    async fn round(&self) -> anyhow::Result<Round> {
        Gauge::StripeReadsWaiting.set(queue::waiting(&self.pool).await?, &[]);
        let claimed = queue::claim(&self.pool, AT_ONCE).await?;
        let fetched = join_all(claimed.iter().map(|read| self.fetch(read))).await;
        let mut round = Round { read: claimed.len(), hold: None };
        let (mut done, mut failures) = (Vec::new(), Vec::new());
        for (read, fetched) in claimed.iter().zip(fetched) {
            match fetched {
                Ok(events) => done.push((read, events)),
                Err(error) => {
                    tracing::warn!(
                        what = read.what.as_str(),
                        object_id = read.object_id,
                        error = error.to_string(),
                        stage = "stripe_reads",
                        "an object can't be read from Stripe now"
                    );
                    failures.push(Failure { read, error: error.to_string(), hold: hold(&error) });
                }
            }
        }
        round.hold = failures.iter().filter_map(|failure| failure.hold).max();
        queue::put_back(&self.pool, &failures).await?;
        let new = queue::finish(&self.pool, &done).await?;
        self.applier.rows(&new).await?;
        Ok(round)
    }

    async fn fetch(&self, read: &Read) -> Result<Vec<Pulled>, ReadError> {
        let kind = match read.what {
            What::Customer => ObjectKind::Customer,
            What::PaymentIntent => ObjectKind::PaymentIntent,
            What::Charge => ObjectKind::Charge,
            What::Refund => ObjectKind::Refund,
            What::Dispute => ObjectKind::Dispute,
            What::Invoice => ObjectKind::Invoice,
            What::Subscription => ObjectKind::Subscription,
            What::RefundsOfCharge => return self.refunds(read).await,
        };
        // Gone from Stripe: nothing more is to be known of it.
        let Some(object) = self.client.object(kind, &read.object_id).await? else { return Ok(Vec::new()) };
        Ok(pulled(object.get(), read.as_of, read.livemode)?.into_iter().collect())
    }

    async fn refunds(&self, read: &Read) -> Result<Vec<Pulled>, ReadError> {
        let (mut events, mut after) = (Vec::new(), None);
        loop {
            let page = self.client.refunds(&read.object_id, after.as_deref()).await?;
            for refund in &page.data {
                events.extend(pulled(refund.get(), read.as_of, read.livemode)?);
            }
            match page.next {
                Some(last) => after = Some(last),
                None => return Ok(events),
            }
        }
    }
}

/// What stands for all calls.
fn hold(error: &ReadError) -> Option<Duration> {
    match error {
        ReadError::Stripe(StripeError::KeyRefused { .. }) => Some(REFUSED_PAUSE),
        ReadError::Stripe(error @ StripeError::TooManyCalls { .. }) => Some(error.retry_after().unwrap_or(BUSY_PAUSE)),
        ReadError::Stripe(_) | ReadError::NoObject(_) => None,
    }
}
