//! An admin who asks for reconciliations through the gateway while everything fails. What was answered must be there, once, and come to its end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::RequestBuilder;
use serde_json::Value;
use testkit::checker::Claim;
use testkit::tokens;

/// Who does not answer an admin for so long is tried again.
const PATIENCE: Duration = Duration::from_secs(1);
/// Nobody asks more often.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Admin {
    gateway: String,
    client: reqwest::Client,
    asked: Mutex<Asked>,
}

#[derive(Debug, Default)]
struct Asked {
    last: Option<Instant>,
    /// The runs that were asked for, by the keys under which they were, and whether an answer has come.
    runs: BTreeMap<String, bool>,
}

impl Admin {
    pub(super) fn at(gateway: SocketAddr) -> Self {
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a plain client");
        Self { gateway: format!("http://{gateway}"), client, asked: Mutex::default() }
    }

    /// Whether it is time to ask again.
    pub(super) fn is_due(&self) -> bool {
        self.asked().last.is_none_or(|last| last.elapsed() >= PAUSE)
    }

    /// Asks once; the key of what was asked for, if an answer came.
    pub(super) async fn ask(&self, wanted: &Value) -> Option<String> {
        let key = {
            let mut asked = self.asked();
            asked.last = Some(Instant::now());
            let key = format!("storm-{}", asked.runs.len());
            asked.runs.insert(key.clone(), false);
            key
        };
        let request = self.client.post(format!("{}/api/erp/sync/reconcile?wait=0", self.gateway));
        let answer = bearing(request).header("idempotency-key", &key).json(wanted).send().await.ok()?;
        let status = answer.status();
        assert!(!status.is_client_error(), "an admin is refused: {status} {:?}", answer.text().await);
        if !status.is_success() {
            return None;
        }
        self.asked().runs.insert(key.clone(), true);
        Some(key)
    }

    /// Looks at the list of runs, whatever comes of it.
    pub(super) async fn look(&self) {
        let answer = bearing(self.client.get(format!("{}/api/erp/reconciliations", self.gateway))).send().await;
        if let Ok(answer) = answer {
            let _broken_off = answer.bytes().await;
        }
    }

    /// Each run that was asked for, by its key, which ends.
    pub(super) fn claims(&self) -> Vec<Claim> {
        let claim = |(key, accepted): (&String, &bool)| Claim {
            accepted: *accepted,
            ..Claim::new(key.clone(), super::places::ENDED.to_owned())
        };
        self.asked().runs.iter().map(claim).collect()
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bearing(request: RequestBuilder) -> RequestBuilder {
    request.bearer_auth(tokens::admin())
}
