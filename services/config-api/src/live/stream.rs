//! What one client is sent: what it missed, then events as they come, a heartbeat while there are none, until its time is over.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::Subscription;

/// A comment comes this often, so that both sides notice a dead connection.
pub const HEARTBEAT: Duration = Duration::from_secs(15);
/// A client that lost its connection comes back after so many milliseconds.
const COMES_BACK_AFTER_MS: u32 = 2000;

/// The stream's text. Ends with `stop`, or after `lasts` (the token's time).
pub fn stream(
    subscription: Subscription,
    lasts: Duration,
    stop: CancellationToken,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let mut heartbeats = tokio::time::interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let client = Client { subscription, heartbeats, ends_at: Instant::now() + lasts, stop, is_begun: false };
    futures::stream::unfold(client, |mut client| async move {
        let text = client.next().await?;
        Some((Ok(text), client))
    })
}

struct Client {
    subscription: Subscription,
    heartbeats: tokio::time::Interval,
    ends_at: Instant,
    stop: CancellationToken,
    is_begun: bool,
}

impl Client {
    async fn next(&mut self) -> Option<Bytes> {
        if !self.is_begun {
            self.is_begun = true;
            // At once, so that the head leaves every proxy on the way.
            return Some(format!("retry: {COMES_BACK_AFTER_MS}\n\n").into());
        }
        if let Some(event) = self.subscription.missed.pop_front() {
            return Some(event.text.clone());
        }
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            () = tokio::time::sleep_until(self.ends_at) => None,
            event = self.subscription.coming.recv() => match event {
                Ok(event) => Some(event.text.clone()),
                Err(RecvError::Lagged(_)) => {
                    // It missed some: all that waits is passed over, and it begins anew.
                    self.subscription.coming = self.subscription.coming.resubscribe();
                    Some(self.subscription.hub.resync_now("slow").text.clone())
                }
                Err(RecvError::Closed) => None,
            },
            _ = self.heartbeats.tick() => Some(Bytes::from_static(b": heartbeat\n\n")),
        }
    }
}

#[cfg(test)]
mod tests;
