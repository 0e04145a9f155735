//! Carries the queue out: a try for each event whose time has come, so many at once.

use std::{
    error::Error,
    sync::{Arc, Weak},
    time::Duration,
};

use time::OffsetDateTime;
use tokio::time::{Instant, timeout};

use super::{Pending, Settings, Webhooks, sign};

/// The longest sleep: the clock may be moved.
const ASLEEP_AT_MOST: Duration = Duration::from_secs(60);

impl Webhooks {
    /// Starts to deliver, on the current runtime, as long as somebody holds the queue.
    pub fn deliver(self: &Arc<Self>) -> anyhow::Result<()> {
        service::bootstrap::install_tls_provider();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .build()?;
        tokio::spawn(run(Arc::downgrade(self), client));
        Ok(())
    }
}

async fn run(queue: Weak<Webhooks>, client: reqwest::Client) {
    while let Some(webhooks) = queue.upgrade() {
        let changed = webhooks.changed.notified();
        let now_ms = webhooks.clock.now_ms();
        let (begun, settings, next) = {
            let mut queue = webhooks.locked();
            let begun = queue.begin(now_ms);
            // With all tries under way, the end of one wakes.
            let next = queue.next_in_ms(now_ms).map_or(ASLEEP_AT_MOST, Duration::from_millis);
            (begun, queue.settings.clone(), if next.is_zero() { ASLEEP_AT_MOST } else { next })
        };
        match begun {
            Some((number, pending)) => {
                let (queue, client) = (queue.clone(), client.clone());
                tokio::spawn(async move { try_once(&queue, &client, number, pending, settings).await });
            }
            None => {
                // An end of the wait without a word is as good as one with.
                let _due_or_changed = timeout(next.min(ASLEEP_AT_MOST), changed).await;
            }
        }
    }
}

async fn try_once(queue: &Weak<Webhooks>, client: &reqwest::Client, number: u64, pending: Pending, settings: Settings) {
    // Receivers check it against their own clock, so it is the machine's.
    let timestamp = OffsetDateTime::now_utc().unix_timestamp();
    let request = client
        .post(settings.target)
        .timeout(Duration::from_millis(settings.timeout_ms))
        .header("content-type", "application/json")
        .header("user-agent", "FlashERP-Webhooks/1 (flasherp-sandbox)")
        .header("x-flasherp-timestamp", timestamp.to_string())
        .header("x-flasherp-signature", sign(&settings.secrets, timestamp, &pending.body))
        .body(pending.body);
    let begun = Instant::now();
    let answer = async {
        let response = request.send().await?;
        let status = response.status().as_u16();
        // Read to its end, so that the connection can be used again.
        response.bytes().await?;
        Ok::<_, reqwest::Error>(status)
    };
    let answer = answer.await.map_err(|error| chain(&error));
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    if let Some(webhooks) = queue.upgrade() {
        webhooks.locked().end(number, answer, took_ms, webhooks.clock.now_ms());
        webhooks.changed.notify_one();
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
