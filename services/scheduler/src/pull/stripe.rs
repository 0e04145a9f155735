//! Stripe's list of events, newest first, a slice of time after the other.

use ::stripe::EventsQuery;
use events::WebhookSource;
use serde::{Deserialize, Serialize};
use service::metrics::Counter;
use time::{Duration, OffsetDateTime};

use super::store::{self, Fetched};
use super::window::{Window, whole_seconds};
use super::{Pull, PullError, STRIPE, Tally};
use crate::run::Run;

/// Stripe lists no older ones.
const LISTED: Duration = Duration::days(30);
/// What of a long way is not gone again after a crash.
const SLICE: Duration = Duration::hours(6);

/// Up to when everything is known, by Stripe's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cursor {
    #[serde(with = "time::serde::rfc3339")]
    pub(super) until: OffsetDateTime,
}

impl Pull {
    /// Reads what Stripe lists.
    pub(super) async fn stripe(&self, run: &Run, tally: &mut Tally) -> Result<(), PullError> {
        let Some(client) = &self.stripe else {
            tally.skipped = Some("there is no STRIPE_API_KEY");
            return Ok(());
        };
        let cursor: Option<Cursor> =
            run.resume_after(STRIPE).await?.and_then(|stored| serde_json::from_value(stored).ok());
        let now = whole_seconds(run.now().await?);
        let known = cursor.map(|cursor| cursor.until);
        if let Some(known) = known.filter(|known| *known < now - LISTED) {
            tracing::error!(
                until = %known,
                "nothing was fetched from Stripe for more than the 30 days that it lists: what no webhook told of between then and now is not found"
            );
        }
        tally.until = known;
        let first = now - LISTED;
        let Some(window) = Window::after(known.map(|known| known.max(first)), first, now, self.settings) else {
            return Ok(());
        };
        for slice in window.slices(SLICE) {
            self.stripe_slice(run, client, slice, tally).await?;
            // The overlap may be longer than a slice.
            let until = known.map_or(slice.until, |known| known.max(slice.until));
            service::failpoint!("pull.before_cursor");
            let cursor = serde_json::json!(Cursor { until });
            run.set_resume_after(STRIPE, &cursor).await?;
            service::failpoint!("pull.after_cursor");
            tally.until = Some(until);
        }
        Ok(())
    }

    async fn stripe_slice(
        &self,
        run: &Run,
        client: &::stripe::Client,
        slice: Window,
        tally: &mut Tally,
    ) -> Result<(), PullError> {
        let mut query = EventsQuery { created_from: slice.from, created_before: slice.until, starting_after: None };
        loop {
            let page = client.events(&query).await?;
            service::failpoint!("pull.fetched");
            let count = page.data.len() as u64;
            tally.read += count;
            Counter::MissedEventsRead.add(count, &[("source", STRIPE)]);
            let wanted: Vec<Fetched> = page.data.iter().filter_map(|event| wanted(event.get())).collect();
            tally.found += store::store(&self.pool, &self.hints, WebhookSource::Stripe, run.id, wanted).await?;
            match page.next {
                Some(last) => query.starting_after = Some(last),
                None => return Ok(()),
            }
        }
    }
}

/// Of the events that Stripe lists those that something is done for; a webhook endpoint is told which types to send, the list has all.
fn wanted(event: &str) -> Option<Fetched> {
    let event = Fetched::read(event.as_bytes().to_vec());
    if event.is_none() {
        tracing::error!(stage = "pull", "Stripe lists something that is no event; it is passed over");
    }
    event.filter(|event| webhooks::stripe::is_read(event.event_type()))
}
