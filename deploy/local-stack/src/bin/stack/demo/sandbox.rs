//! The sandbox's control API, as far as the demonstration needs it.

use anyhow::{Context as _, bail};
use local_stack::http;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A running sandbox.
#[derive(Debug)]
pub(crate) struct Sandbox {
    base: String,
    client: reqwest::Client,
}

/// An order to send Stripe stories: each is a customer, a payment and its charge.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Order {
    /// Stories, each with one payment.
    pub(crate) count: u32,
    /// Events a second; 0 for as fast as answers come.
    pub(crate) rate_per_second: u32,
    /// Events under way at once.
    pub(crate) concurrency: u32,
    /// In any order.
    pub(crate) shuffle: bool,
    /// The share of events that is sent twice, as a decimal number's text.
    pub(crate) duplicate_rate: serde_json::Number,
    /// ISO 4217 codes.
    pub(crate) currencies: Vec<String>,
    /// Every so many stories end with a change of the customer; 0 for none.
    pub(crate) update_every: u32,
    /// Give up after so many seconds.
    pub(crate) deadline_secs: u64,
}

/// How far an order is.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    pub(crate) id: u64,
    pub(crate) done: bool,
    pub(crate) stories: u64,
    pub(crate) payments: u64,
    /// To be sent, repeats included.
    pub(crate) events: u64,
    pub(crate) repeats: u64,
    pub(crate) accepted: u64,
    pub(crate) failed: u64,
    pub(crate) last_error: Option<String>,
}

/// A record of FlashERP; an amount keeps the text it is written with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) upcoach_reference: String,
    #[serde(default)]
    pub(crate) amount: Option<Box<RawValue>>,
    #[serde(default)]
    pub(crate) currency: Option<String>,
}

impl Sandbox {
    /// The sandbox at `base`, a URL without path.
    pub(crate) fn at(base: &str) -> anyhow::Result<Self> {
        Ok(Self { base: base.to_owned(), client: http::client()? })
    }

    /// Begins to send.
    pub(crate) async fn send(&self, order: &Order) -> anyhow::Result<Progress> {
        let request = self.client.post(format!("{}/control/stripe/send", self.base)).json(order);
        answer(request).await
    }

    /// How far a send is.
    pub(crate) async fn progress(&self, id: u64) -> anyhow::Result<Progress> {
        answer(self.client.get(format!("{}/control/stripe/sends/{id}", self.base))).await
    }

    /// Every record of a type (`transactions`), oldest first.
    pub(crate) async fn records(&self, of: &str) -> anyhow::Result<Vec<Record>> {
        #[derive(Deserialize)]
        struct Dump {
            data: Vec<Record>,
        }
        let dump: Dump = answer(self.client.get(format!("{}/control/records/{of}", self.base))).await?;
        Ok(dump.data)
    }
}

async fn answer<T: DeserializeOwned>(request: reqwest::RequestBuilder) -> anyhow::Result<T> {
    let response = request.send().await.context("the sandbox does not answer")?;
    let (status, url) = (response.status(), response.url().clone());
    let text = response.text().await.with_context(|| format!("{url} broke off"))?;
    if !status.is_success() {
        bail!("{url} answered {status}: {text}");
    }
    serde_json::from_str(&text).with_context(|| format!("{url} answered what makes no sense: {text}"))
}
