//! The sandbox's control API, typed: what a test or the demo tells the sandbox, and what it asks of it. The types mirror the control
//! API's JSON; the sandbox's own crate is not linked, since tests talk to it as a process.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json, value::RawValue};

use crate::eventually_some;

mod fault;
mod stripe;
mod webhooks;

pub use fault::{Fault, FaultAction, FaultBody, RetryAfter};
pub use stripe::{StripeLatency, StripeProgress, StripeSend};
pub use webhooks::{ReleaseOrder, WebhookSend, WebhookSettings, WebhookTells, Webhooks};

/// A running sandbox. Whatever goes wrong between the two is no finding about the product, so all of these panic.
#[derive(Debug, Clone)]
pub struct Sandbox {
    /// `http://127.0.0.1:8084`, without a path.
    pub base: String,
    client: reqwest::Client,
}

/// What the sandbox counted since its start or its last reset.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    /// Calls by operation, as `POST /v1/transactions`; those that are 0 are left out.
    pub calls: BTreeMap<String, u64>,
    /// Answers by status.
    pub answers: BTreeMap<u16, u64>,
    /// Calls that got no answer.
    pub cuts: u64,
    /// Calls in flight.
    pub in_flight: InFlight,
    /// Writes that arrived and have yet to take effect.
    pub pending_writes: u64,
    /// Faults that applied, by kind.
    pub faults: BTreeMap<String, u64>,
    /// Calls of Stripe's API, by collection (`events`).
    pub stripe_calls: BTreeMap<String, u64>,
    /// Answers that were an earlier one again.
    pub idempotent_replays: u64,
    /// Idempotency keys that are remembered.
    pub idempotency_keys: u64,
    /// Records by type.
    pub records: BTreeMap<String, u64>,
    /// References that more than one record carries, by type.
    pub duplicates: BTreeMap<String, u64>,
}

/// Calls in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct InFlight {
    /// Now.
    pub now: u64,
    /// The most at once.
    pub max: u64,
}

/// A reference that several records carry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Duplicate {
    /// The reference.
    pub upcoach_reference: String,
    /// Its records, oldest first.
    pub ids: Vec<String>,
}

/// A record as FlashERP holds it. Numbers keep the text they are written with.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Record(BTreeMap<String, Box<RawValue>>);

/// The state of the whole FlashERP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outage {
    /// It works.
    Off,
    /// It works, and `/health` says `degraded`.
    Degraded,
    /// A proxy in front answers 503 with HTML.
    Unavailable,
    /// Every connection is cut.
    Cut,
}

/// FlashERP's limits. None, by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Calls in one window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_window: Option<u64>,
    /// How long a window is; a minute when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_ms: Option<u64>,
    /// Calls of one day (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_day: Option<u64>,
    /// The form of `Retry-After`.
    pub retry_after: RetryAfterForm,
    /// Whether `GET /health` counts and is refused, too.
    pub health: bool,
}

/// The two forms of `Retry-After`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RetryAfterForm {
    /// Seconds.
    #[default]
    Seconds,
    /// An HTTP date.
    Date,
}

/// Calls by time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallRate {
    /// Milliseconds of a bucket.
    pub bucket_ms: u64,
    /// The most calls of one bucket since the last reset.
    pub most: u64,
    /// Calls of each bucket, oldest first; the last one is not over.
    pub calls: Vec<u64>,
}

impl Record {
    /// A field's JSON text, as `10.90` for an amount.
    pub fn json(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(|json| json.get())
    }

    /// A field's value, if it is a string.
    pub fn text(&self, field: &str) -> Option<String> {
        serde_json::from_str(self.json(field)?).ok()
    }

    /// Its id; empty for metrics, which have none.
    pub fn id(&self) -> String {
        self.text("id").unwrap_or_default()
    }

    /// Its reference; empty for metrics, which have none.
    pub fn reference(&self) -> String {
        self.text("upcoachReference").unwrap_or_default()
    }
}

impl Counters {
    /// How many calls an operation got, as `POST /v1/transactions`.
    pub fn calls_of(&self, operation: &str) -> u64 {
        self.calls.get(operation).copied().unwrap_or_default()
    }

    /// How many records a type has, as `transactions`.
    pub fn records_of(&self, of: &str) -> u64 {
        self.records.get(of).copied().unwrap_or_default()
    }

    /// References that more than one record carries, of all types.
    pub fn doubled(&self) -> u64 {
        self.duplicates.values().sum()
    }
}

impl Sandbox {
    /// The sandbox at `base`, say `http://127.0.0.1:8084`.
    pub fn at(base: impl Into<String>) -> Self {
        // Told twice is as good as once.
        let _already_there = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            // The sandbox may close a kept connection at the very moment that it is used again.
            .pool_max_idle_per_host(0)
            .timeout(Duration::from_secs(60))
            // Well before the sandbox closes a connection that lies idle: a call must not meet that moment.
            .pool_idle_timeout(Duration::from_secs(1))
            .build()
            .expect("a plain client can be built");
        Self { base: base.into().trim_end_matches('/').to_owned(), client }
    }

    /// FlashERP's base URL.
    pub fn api_url(&self) -> String {
        format!("{}/v1", self.base)
    }

    /// Stripe's base URL, for `STRIPE_BASE_URL`.
    pub fn stripe_url(&self) -> String {
        format!("{}/stripe", self.base)
    }

    /// No records, keys, faults or counts; deliveries are cancelled, and Stripe's stories forgotten.
    pub async fn reset(&self) {
        self.call("POST", "/reset", None).await;
    }

    /// Every call takes from `min` to `max`, which passes before its write takes effect.
    pub async fn set_latency(&self, min: Duration, max: Duration) {
        let body = json!({ "minMs": millis(min), "maxMs": millis(max), "when": "before" });
        self.call("PUT", "/latency", Some(body)).await;
    }

    /// The same, and so many of a thousand calls take from `slow.0` to `slow.1` instead.
    pub async fn set_latency_with_slow(
        &self,
        min: Duration,
        max: Duration,
        per_mille: u32,
        slow: (Duration, Duration),
    ) {
        let slow = json!({ "perMille": per_mille, "minMs": millis(slow.0), "maxMs": millis(slow.1) });
        let body = json!({ "minMs": millis(min), "maxMs": millis(max), "when": "before", "slow": slow });
        self.call("PUT", "/latency", Some(body)).await;
    }

    /// Begins or ends an outage.
    pub async fn set_outage(&self, outage: Outage) {
        self.call("PUT", "/outage", Some(json!({ "outage": outage }))).await;
    }

    /// Limits FlashERP's calls from now on.
    pub async fn set_limits(&self, limits: &Limits) {
        let limits = serde_json::to_value(limits).expect("limits serialise");
        self.call("PUT", "/limits", Some(limits)).await;
    }

    /// How many calls came in each 100 ms of the last minute.
    pub async fn rate(&self) -> CallRate {
        read(&self.call("GET", "/rate", None).await)
    }

    /// Writes the snapshot file now.
    pub async fn write_snapshot(&self) {
        self.call("POST", "/snapshot", None).await;
    }

    /// What `/health` lists, and what works.
    pub async fn set_capabilities(&self, capabilities: &[&str]) {
        self.call("PUT", "/capabilities", Some(json!({ "capabilities": capabilities }))).await;
    }

    /// The random choices start from here.
    pub async fn set_seed(&self, seed: u64) {
        self.call("PUT", "/seed", Some(json!({ "seed": seed }))).await;
    }

    /// FlashERP's clock is so much ahead of the machine's (behind, if negative).
    pub async fn set_clock_ahead(&self, ahead_ms: i64) {
        self.call("PUT", "/clock", Some(json!({ "aheadMs": ahead_ms }))).await;
    }

    /// Adds a fault and answers its number.
    pub async fn add_fault(&self, fault: &Fault) -> u64 {
        #[derive(Deserialize)]
        struct Added {
            id: u64,
        }
        let fault = serde_json::to_value(fault).expect("a fault serialises");
        read::<Added>(&self.call("POST", "/faults", Some(fault)).await).id
    }

    /// Takes all faults back.
    pub async fn clear_faults(&self) {
        self.call("DELETE", "/faults", None).await;
    }

    /// What it counted.
    pub async fn counters(&self) -> Counters {
        read(&self.call("GET", "/counters", None).await)
    }

    /// The references that more than one record carries, by type.
    pub async fn duplicates(&self) -> BTreeMap<String, Vec<Duplicate>> {
        read(&self.call("GET", "/duplicates", None).await)
    }

    /// Every record of a type (`transactions`), oldest first.
    pub async fn records(&self, of: &str) -> Vec<Record> {
        #[derive(Deserialize)]
        struct Dump {
            data: Vec<Record>,
        }
        read::<Dump>(&self.call("GET", &format!("/records/{of}"), None).await).data
    }

    /// Makes a record inside FlashERP, behind the client's back, by FlashERP's rules for POST.
    pub async fn create_record(&self, of: &str, fields: Value) -> Record {
        read(&self.call("POST", &format!("/records/{of}"), Some(fields)).await)
    }

    /// Changes a record behind the client's back, by FlashERP's rules for PUT.
    pub async fn edit_record(&self, of: &str, id: &str, fields: Value) -> Record {
        read(&self.call("PUT", &format!("/records/{of}/{id}"), Some(fields)).await)
    }

    /// Takes a record away.
    pub async fn remove_record(&self, of: &str, id: &str) {
        self.call("DELETE", &format!("/records/{of}/{id}"), None).await;
    }

    /// How FlashERP's webhooks are sent from now on.
    pub async fn set_webhooks(&self, settings: &WebhookSettings) {
        let settings = serde_json::to_value(settings).expect("settings serialise");
        self.call("PUT", "/webhooks", Some(settings)).await;
    }

    /// Sends one of FlashERP's webhooks and answers its event's id.
    pub async fn send_webhook(&self, send: &WebhookSend) -> String {
        #[derive(Deserialize)]
        struct Sent {
            id: String,
        }
        let send = serde_json::to_value(send).expect("an event serialises");
        read::<Sent>(&self.call("POST", "/webhooks/send", Some(send)).await).id
    }

    /// Releases the webhooks that are held.
    pub async fn release_webhooks(&self, order: ReleaseOrder) {
        self.call("POST", "/webhooks/release", Some(json!({ "order": order }))).await;
    }

    /// Forgets the webhooks that wait or are held.
    pub async fn drop_webhooks(&self) {
        self.call("DELETE", "/webhooks/waiting", None).await;
    }

    /// How FlashERP's webhooks are doing.
    pub async fn webhooks(&self) -> Webhooks {
        read(&self.call("GET", "/webhooks", None).await)
    }

    /// Waits until no webhook waits, is held or under way.
    ///
    /// # Panics
    /// When they have not within `limit`.
    pub async fn wait_webhooks_idle(&self, limit: Duration) -> Webhooks {
        let look = || async { Some(self.webhooks().await).filter(Webhooks::is_idle) };
        eventually_some(limit, "FlashERP's webhooks are sent", look).await
    }

    /// Begins to send Stripe stories.
    pub async fn send_stripe(&self, send: &StripeSend) -> StripeProgress {
        let send = serde_json::to_value(send).expect("an order serialises");
        read(&self.call("POST", "/stripe/send", Some(send)).await)
    }

    /// How far a send is.
    pub async fn stripe_progress(&self, id: u64) -> StripeProgress {
        read(&self.call("GET", &format!("/stripe/sends/{id}"), None).await)
    }

    /// Every object of a kind (`payment_intent`) that a send's stories end with, as Stripe's API renders them.
    pub async fn stripe_objects(&self, id: u64, kind: &str) -> Vec<Value> {
        #[derive(Deserialize)]
        struct Dump {
            data: Vec<Value>,
        }
        read::<Dump>(&self.call("GET", &format!("/stripe/sends/{id}/objects/{kind}"), None).await).data
    }

    /// Every event that Stripe's API lists, oldest first.
    pub async fn stripe_events(&self, key: &str) -> Vec<Value> {
        #[derive(Deserialize)]
        struct Page {
            data: Vec<Value>,
            has_more: bool,
        }
        let mut events: Vec<Value> = Vec::new();
        loop {
            let last = events.last().and_then(|event| event["id"].as_str());
            let after = last.map(|id| format!("&starting_after={id}")).unwrap_or_default();
            let url = format!("{}/v1/events?limit=100{after}", self.stripe_url());
            let answer = self.client.get(&url).bearer_auth(key).send().await;
            let answer = answer.unwrap_or_else(|error| panic!("is there a sandbox at {}? {error:?}", self.base));
            let page: Page = read(&answer.text().await.unwrap_or_else(|error| panic!("{url} broke off: {error:?}")));
            events.extend(page.data);
            if !page.has_more {
                events.reverse();
                return events;
            }
        }
    }

    /// What Stripe's API answers to the next `times` calls, or to all; `None` ends it.
    pub async fn set_stripe_outage(&self, status: Option<u16>, times: Option<u64>) {
        self.call("PUT", "/stripe/outage", Some(json!({ "status": status, "times": times }))).await;
    }

    /// Ends a send.
    pub async fn cancel_stripe(&self, id: u64) -> StripeProgress {
        read(&self.call("POST", &format!("/stripe/sends/{id}/cancel"), None).await)
    }

    /// Waits until a send has ended, in whatever way.
    ///
    /// # Panics
    /// When it has not within `limit`.
    pub async fn wait_send_done(&self, id: u64, limit: Duration) -> StripeProgress {
        let look = || async { Some(self.stripe_progress(id).await).filter(|progress| progress.done) };
        eventually_some(limit, "the Stripe events are sent", look).await
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> String {
        let url = format!("{}/control{path}", self.base);
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("methods are written here");
        let mut request = self.client.request(method, &url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response =
            request.send().await.unwrap_or_else(|error| panic!("is there a sandbox at {}? {error:?}", self.base));
        let status = response.status();
        let text = response.text().await.unwrap_or_else(|error| panic!("{url} broke off: {error:?}"));
        assert!(status.is_success(), "{url} was answered {status}: {text}");
        text
    }
}

fn read<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text)
        .unwrap_or_else(|error| panic!("the sandbox speaks another control API ({error}): {text}"))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
