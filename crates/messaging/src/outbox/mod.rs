//! Facts: inserted into the outbox table of the service's schema by the transaction that makes them true, and relayed from
//! there to the broker.
//!
//! Promises: a fact whose transaction committed reaches its stream at least once, however often the broker, the database or
//! the relay goes away meanwhile; one whose transaction did not commit is never told. Repeats have the same `Nats-Msg-Id`,
//! which the broker drops while it remembers it, and the same event id, by which consumers know them.
//!
//! The table, in each schema that states facts:
//! `outbox(id bigint generated always as identity primary key, subject text not null, event_id uuid not null, body bytea
//! not null, traceparent text, created_at timestamptz not null default clock_timestamp())`.

mod relay;
mod round;

use events::traffic::Party;
use events::{Event, Fact};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

pub use relay::Relay;

use crate::trace;

/// The outbox of one schema.
#[derive(Clone, Copy, Debug)]
pub struct Outbox {
    schema: &'static str,
    party: Party,
}

/// A fact that is still to be inserted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingFact {
    subject: String,
    event_id: Uuid,
    body: Vec<u8>,
    traceparent: Option<String>,
}

impl<T: Fact> From<&Event<T>> for PendingFact {
    /// The event as it will be published, with the trace context of the current span.
    fn from(event: &Event<T>) -> Self {
        Self {
            subject: event.data.subject(),
            event_id: event.id,
            body: event.to_json(),
            traceparent: trace::current_traceparent(),
        }
    }
}

impl PendingFact {
    /// The same in the trace that the row was stored with, where it has one.
    #[must_use]
    pub fn with_traceparent(self, traceparent: Option<String>) -> Self {
        Self { traceparent: traceparent.or(self.traceparent), ..self }
    }
}

impl Outbox {
    /// The table `<schema>.outbox`, whose facts are stated by `party`.
    ///
    /// # Panics
    /// When the schema is not a plain lower-case name: schemas are named in code.
    pub const fn new(schema: &'static str, party: Party) -> Self {
        let name = schema.as_bytes();
        assert!(!name.is_empty(), "a schema has a name");
        let mut at = 0;
        while at < name.len() {
            assert!(name[at].is_ascii_lowercase() || name[at] == b'_', "a schema's name has lower-case letters only");
            at += 1;
        }
        Self { schema, party }
    }

    /// An event of now that this outbox's party states.
    pub fn fact<T: Fact>(&self, data: T) -> PendingFact {
        PendingFact::from(&Event::now(self.party, data))
    }

    /// Inserts facts in one statement, in the caller's transaction. Wake the [`Relay`] after the commit.
    ///
    /// # Errors
    /// The database refuses; the transaction is then to be rolled back.
    pub async fn insert(&self, connection: &mut PgConnection, facts: &[PendingFact]) -> Result<(), sqlx::Error> {
        if facts.is_empty() {
            return Ok(());
        }
        let statement = format!(
            "INSERT INTO {}.outbox (subject, event_id, body, traceparent) \
             SELECT * FROM unnest($1::text[], $2::uuid[], $3::bytea[], $4::text[])",
            self.schema
        );
        // The schema was checked to be a plain name.
        sqlx::query(AssertSqlSafe(statement))
            .bind(facts.iter().map(|fact| fact.subject.as_str()).collect::<Vec<_>>())
            .bind(facts.iter().map(|fact| fact.event_id).collect::<Vec<_>>())
            .bind(facts.iter().map(|fact| fact.body.as_slice()).collect::<Vec<_>>())
            .bind(facts.iter().map(|fact| fact.traceparent.as_deref()).collect::<Vec<_>>())
            .execute(connection)
            .await?;
        Ok(())
    }
}
