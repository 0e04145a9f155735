//! `webhook.received`: webhook events were stored; the inbound worker claims exactly these rows.
//!
//! A hint, published right after the group commit that stored them (or after a replay put them back): losing it costs at
//! most the second until the worker's timer finds them.

use domain::EventRowId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{EventType, Hint, WebhookSource};

/// Rows of `ingress.webhook_events` that wait to be applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookReceived {
    /// Who sent all of them.
    pub source: WebhookSource,
    /// Row ids, not the sender's event ids.
    #[schemars(with = "Vec<Uuid>", length(min = 1))]
    pub ids: Vec<EventRowId>,
}

impl EventType for WebhookReceived {
    const TYPE: &'static str = "upcoach.erp.webhook.received.v1";
    const SUBJECTS: &'static str = "webhook.received.*";
    const SUMMARY: &'static str = "Webhook events were stored; the inbound worker claims exactly these rows.";

    fn subject(&self) -> String {
        format!("webhook.received.{}", self.source.as_str())
    }

    fn about(&self) -> Option<String> {
        None
    }

    fn examples() -> Vec<Self> {
        vec![
            Self { source: WebhookSource::Stripe, ids: vec![EventRowId(Uuid::from_u128(1))] },
            Self {
                source: WebhookSource::Flasherp,
                ids: vec![EventRowId(Uuid::from_u128(2)), EventRowId(Uuid::from_u128(3))],
            },
        ]
    }
}

impl Hint for WebhookReceived {
    fn split(self, max: usize) -> Vec<Self> {
        self.ids.chunks(max.max(1)).map(|ids| Self { source: self.source, ids: ids.to_vec() }).collect()
    }
}
