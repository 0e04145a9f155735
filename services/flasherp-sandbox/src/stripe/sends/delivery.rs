//! One run: so many events under way at once, each tried until it is answered 2xx, the run is cancelled or its time is over.

use std::{
    collections::BTreeMap,
    error::Error,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rand::Rng;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{
    Progress, SendId, State,
    order::Ready,
    progress::{Percentiles, micros},
};
use crate::stripe::{StripeEvent, api::Run, sign};

/// A run.
#[derive(Debug)]
pub(super) struct Delivery {
    id: SendId,
    order: Ready,
    begun: Instant,
    next: AtomicUsize,
    cancelled: CancellationToken,
    tally: Mutex<Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    sent: u64,
    accepted: u64,
    retried: u64,
    failed: u64,
    statuses: BTreeMap<u16, u64>,
    last_error: Option<String>,
    latencies: Vec<u32>,
    ended: Option<Duration>,
}

const BACKOFF_FIRST_MS: u64 = 50;
const BACKOFF_MAX_MS: u64 = 2_000;

impl Delivery {
    pub(super) fn new(id: SendId, order: Ready) -> Self {
        Self {
            id,
            order,
            begun: Instant::now(),
            next: AtomicUsize::new(0),
            cancelled: CancellationToken::new(),
            tally: Mutex::default(),
        }
    }

    pub(super) fn story_run(&self) -> Arc<Run> {
        Arc::clone(&self.order.run)
    }

    pub(super) fn cancel(&self) {
        self.cancelled.cancel();
    }

    /// Sends everything; ends when nothing is left to send.
    pub(super) async fn run(self: Arc<Self>, client: reqwest::Client) {
        let mut senders = tokio::task::JoinSet::new();
        for _ in 0..self.order.concurrency {
            let (run, client) = (Arc::clone(&self), client.clone());
            senders.spawn(async move { run.send_one_after_another(&client).await });
        }
        while let Some(ended) = senders.join_next().await {
            if let Err(error) = ended {
                tracing::error!(error = error.to_string(), "a sender of Stripe events broke off");
            }
        }
        let mut tally = self.tally();
        tally.ended = Some(self.begun.elapsed());
        tracing::info!(
            send = self.id.0,
            accepted = tally.accepted,
            failed = tally.failed,
            retried = tally.retried,
            "stripe events sent"
        );
    }

    async fn send_one_after_another(&self, client: &reqwest::Client) {
        while !self.cancelled.is_cancelled() {
            let place = self.next.fetch_add(1, Ordering::Relaxed);
            if place >= self.order.plan.len() {
                return;
            }
            let deadline = self.begun + self.order.deadline;
            if self.cancelled.run_until_cancelled(sleep_until(self.turn(place).min(deadline))).await.is_none() {
                return;
            }
            let Some(event) = self.order.plan.event(place) else { return };
            let outcome = self
                .cancelled
                .run_until_cancelled(timeout_at(deadline, self.send_until_accepted(client, &event)))
                .await;
            if !matches!(outcome, Some(Ok(()))) {
                self.tally().failed += 1;
            }
        }
    }

    /// When the event at that place has its first try.
    fn turn(&self, place: usize) -> Instant {
        match self.order.rate_per_second {
            0 => self.begun,
            rate => self.begun + Duration::from_nanos((place as u64).saturating_mul(1_000_000_000) / u64::from(rate)),
        }
    }

    async fn send_until_accepted(&self, client: &reqwest::Client, event: &StripeEvent) {
        let mut backoff_ms = BACKOFF_FIRST_MS;
        let mut is_retry = false;
        while !self.try_once(client, event, is_retry).await {
            is_retry = true;
            let pause = rand::rng().random_range(backoff_ms / 2..=backoff_ms);
            sleep(Duration::from_millis(pause)).await;
            backoff_ms = (backoff_ms * 2).min(BACKOFF_MAX_MS);
        }
    }

    async fn try_once(&self, client: &reqwest::Client, event: &StripeEvent, is_retry: bool) -> bool {
        let signature = sign(&self.order.secret, OffsetDateTime::now_utc().unix_timestamp(), &event.body);
        let request = client
            .post(self.order.target.clone())
            .timeout(self.order.timeout)
            .header("content-type", "application/json; charset=utf-8")
            .header("user-agent", "Stripe/1.0 (flasherp-sandbox)")
            .header("stripe-signature", signature)
            .body(event.body.clone());
        {
            let mut tally = self.tally();
            tally.sent += 1;
            tally.retried += u64::from(is_retry);
        }
        let begun = Instant::now();
        let answer = async {
            let response = request.send().await?;
            let status = response.status();
            // Read to its end, so that the connection can be used again.
            response.bytes().await?;
            Ok::<_, reqwest::Error>(status)
        };
        let answer = answer.await;
        let took = begun.elapsed();
        let mut tally = self.tally();
        *tally.statuses.entry(answer.as_ref().map_or(0, |status| status.as_u16())).or_default() += 1;
        match answer {
            Ok(status) if status.is_success() => {
                tally.accepted += 1;
                tally.latencies.push(micros(took));
                true
            }
            Ok(status) => {
                tally.last_error = Some(format!("{} was answered {status}", event.id));
                false
            }
            Err(error) => {
                tally.last_error = Some(format!("{} was not answered: {}", event.id, chain(&error)));
                false
            }
        }
    }

    /// How far it is.
    pub(super) fn progress(&self) -> Progress {
        let tally = self.tally();
        let (ended, latencies) = (tally.ended, tally.latencies.clone());
        let mut progress = Progress {
            id: self.id,
            state: State::Running,
            done: ended.is_some(),
            seed: self.order.seed,
            target: self.order.target.clone(),
            stories: self.order.stories,
            payments: self.order.payments,
            events: self.order.plan.len() as u64,
            repeats: self.order.plan.repeats() as u64,
            sent: tally.sent,
            accepted: tally.accepted,
            retried: tally.retried,
            failed: tally.failed,
            statuses: tally.statuses.clone(),
            last_error: tally.last_error.clone(),
            elapsed_ms: u64::try_from(ended.unwrap_or_else(|| self.begun.elapsed()).as_millis()).unwrap_or(u64::MAX),
            latency_micros: Percentiles::default(),
        };
        drop(tally);
        progress.latency_micros = Percentiles::of(latencies);
        if progress.done {
            let is_whole = progress.accepted + progress.failed == progress.events && !self.cancelled.is_cancelled();
            progress.state = if is_whole { State::Ended } else { State::Cancelled };
        }
        progress
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
