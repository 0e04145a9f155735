//! What Stripe's list of events has, whether a webhook told of it or not: all of it must be everywhere in the end. The list is read past all
//! proxies, again and again while it grows, since the sandbox forgets the oldest stories.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use sqlx::PgPool;
use testkit::history::{Entry, History, What};
use testkit::recorder::stripe_event;
use time::OffsetDateTime;

use crate::system::STRIPE_KEY;

/// So far back it is read again: a story's last events lie a few seconds ahead when it is sent, and a clock that is off lists late.
const AGAIN_SECS: i64 = 60;
/// Tries of the list have other numbers than the webhooks'.
const NUMBERS: u64 = 1 << 40;

#[derive(Debug)]
pub(crate) struct Listed {
    /// Each event that is listed, as one that was sent and accepted.
    pub(super) history: History,
    url: String,
    client: reqwest::Client,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    ids: BTreeSet<String>,
    /// Unix seconds of the last look.
    last: i64,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Box<RawValue>>,
    has_more: bool,
}

impl Listed {
    pub(super) fn new(file: &Path, stripe_url: String) -> Self {
        let client =
            reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().expect("a plain client");
        Self { history: History::create(file), url: stripe_url, client, seen: Mutex::default() }
    }

    /// Reads what is new in the list.
    pub(super) async fn look(&self) {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let from = self.seen().last - AGAIN_SECS;
        let mut after = String::new();
        loop {
            let url = format!("{}/v1/events?limit=100&created[gte]={from}{after}", self.url);
            let answer = self.client.get(&url).bearer_auth(STRIPE_KEY).send().await.expect("the sandbox answers");
            if answer.status() == 503 {
                // It was told to be away; the next look reads further back.
                return;
            }
            let page: Page = answer.json().await.expect("a page of events");
            let last = page.data.last().and_then(|event| stripe_event(event.get().as_bytes())).map(|event| event.id);
            for event in page.data {
                let event = stripe_event(event.get().as_bytes()).expect("an event");
                if webhooks::stripe::is_read(&event.kind) && self.seen().ids.insert(event.id.clone()) {
                    let attempt = self.history.sent(event);
                    self.history.answered(attempt, 200, None);
                }
            }
            match last {
                Some(last) if page.has_more => after = format!("&starting_after={last}"),
                _ => break,
            }
        }
        self.seen().last = now;
    }

    /// Whether all that is listed is stored.
    pub(super) async fn is_stored(&self, pool: &PgPool) -> bool {
        self.look().await;
        let ids: Vec<String> = self.seen().ids.iter().cloned().collect();
        let missing: Result<i64, _> = sqlx::query_scalar(
            "SELECT count(*) FROM unnest($1::text[]) AS listed (id)
             WHERE NOT EXISTS (SELECT FROM ingress.webhook_events e WHERE e.source = 'stripe' AND e.event_id = listed.id)",
        )
        .bind(&ids)
        .fetch_one(pool)
        .await;
        missing.is_ok_and(|missing| missing == 0)
    }

    /// What was sent by webhooks and what is listed, in the order of time.
    pub(super) fn beside(&self, webhooks: Vec<Entry>) -> Vec<Entry> {
        let listed = self.history.entries().into_iter().filter_map(|Entry { at_ms, what }| {
            let what = match what {
                What::Sent { attempt, event } => What::Sent { attempt: attempt + NUMBERS, event },
                What::Answered { attempt, status, duplicate } => {
                    What::Answered { attempt: attempt + NUMBERS, status, duplicate }
                }
                // The faults are among the others.
                _ => return None,
            };
            Some(Entry { at_ms, what })
        });
        let mut all: Vec<Entry> = webhooks.into_iter().chain(listed).collect();
        all.sort_by_key(|entry| entry.at_ms);
        all
    }

    /// How many events of these kinds no webhook has told of.
    pub(super) fn untold(&self, webhooks: &[Entry], kinds: &[&str]) -> usize {
        let told: BTreeSet<&str> = webhooks
            .iter()
            .filter_map(|entry| match &entry.what {
                What::Sent { event, .. } => Some(event.id.as_str()),
                _ => None,
            })
            .collect();
        let of_kind = |kind: &str| kinds.iter().any(|beginning| kind.starts_with(beginning));
        let untold = |entry: &Entry| match &entry.what {
            What::Sent { event, .. } => of_kind(&event.kind) && !told.contains(event.id.as_str()),
            _ => false,
        };
        self.history.entries().iter().filter(|entry| untold(entry)).count()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
