//! Stores what was fetched as ingress stores what was sent: the same checks, the same statement, the same dedup.

use std::collections::BTreeMap;

use domain::EventRowId;
use events::{WebhookReceived, WebhookSource};
use messaging::Hints;
use service::metrics::Counter;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;
use webhooks::envelope::{self, Usable};

/// What stands in the place of a sender's name, so that an operator sees which events were fetched.
const USER_AGENT: &str = "pull-missed-events";

/// An event to be stored.
#[derive(Debug)]
pub(super) struct Fetched {
    event_id: String,
    event_type: String,
    body: Vec<u8>,
    occurred_at: Option<OffsetDateTime>,
    /// Why it can't be applied, if it can't.
    defect: Option<String>,
}

impl Fetched {
    /// An event from its body; none if it is no event, which no webhook of this sender would be either.
    pub(super) fn read(body: Vec<u8>) -> Option<Self> {
        let envelope = envelope::read(&body).ok()?;
        let (event_id, event_type) = (envelope.id.into_owned(), envelope.event_type.into_owned());
        let defect = match envelope.usable {
            Usable::Yes => None,
            Usable::Quarantine(defect) => Some(defect.to_string()),
        };
        Some(Self { event_id, event_type, occurred_at: envelope.occurred_at, defect, body })
    }

    /// Its type.
    pub(super) fn event_type(&self) -> &str {
        &self.event_type
    }

    /// The same with another time: that of the record, not that of the fetching.
    pub(super) fn occurred_at(self, at: OffsetDateTime) -> Self {
        Self { occurred_at: Some(at), ..self }
    }
}

/// Stores a page in one statement and asks for what is new to be applied. Returns how many were new. When it returns they are durable.
pub(super) async fn store(
    pool: &PgPool,
    hints: &Hints,
    source: WebhookSource,
    run: Uuid,
    page: Vec<Fetched>,
) -> Result<u64, sqlx::Error> {
    // Sorted by event id and without repeats, as the statement wants it.
    let page: BTreeMap<String, Fetched> = page.into_iter().map(|event| (event.event_id.clone(), event)).collect();
    if page.is_empty() {
        return Ok(0);
    }
    let events: Vec<&Fetched> = page.values().collect();
    let n = events.len();
    let ids: Vec<Uuid> = events.iter().map(|_| Uuid::now_v7()).collect();
    let new: Vec<(Uuid, bool)> = sqlx::query_as(
        "SELECT s.id, given.status = 'received'
         FROM ingress.store($1::text[]::ingress.source[], $2, $3, $4, $5, $6, $7, $8, $9, $7,
            $10::text[]::ingress.event_status[], $11) AS s
            JOIN unnest($2::uuid[], $10::text[]) AS given (id, status) ON given.id = s.id
         WHERE NOT s.duplicate",
    )
    .bind(vec![source.as_str(); n])
    .bind(&ids)
    .bind(events.iter().map(|event| event.event_id.as_str()).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.event_type.as_str()).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.body.as_slice()).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.occurred_at).collect::<Vec<_>>())
    .bind(vec![None::<String>; n])
    .bind(vec![USER_AGENT; n])
    .bind(vec![run; n])
    .bind(events.iter().map(|e| if e.defect.is_some() { "quarantined" } else { "received" }).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.defect.as_deref()).collect::<Vec<_>>())
    .fetch_all(pool)
    .await?;
    service::failpoint!("pull.stored");
    let due: Vec<EventRowId> = new.iter().filter(|(_, due)| *due).map(|(id, _)| EventRowId(*id)).collect();
    if !due.is_empty() {
        hints.publish(WebhookReceived { source, ids: due });
    }
    Counter::MissedEventsFound.add(new.len() as u64, &[("source", source.as_str())]);
    Ok(new.len() as u64)
}
