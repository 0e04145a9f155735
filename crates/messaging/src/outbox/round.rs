//! One round of the relay: take rows, publish them, delete those that the broker has, commit.
//!
//! Dying anywhere in between gives the rows back: what was published comes again, with the same `Nats-Msg-Id`.

use std::future::IntoFuture as _;

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use events::EventInfo;
use events::traffic::Stream;
use futures::future::join_all;
use service::metrics::Counter;
use sqlx::{AssertSqlSafe, FromRow, PgPool};
use uuid::Uuid;

use super::Outbox;
use crate::topology::TopologyError;
use crate::{Broker, trace};

/// Rows of one round: a transaction holds them while the broker stores them.
const BATCH: i64 = 256;

/// Why a round failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum RoundError {
    #[error("the outbox can't be read or cleared")]
    Database(#[from] sqlx::Error),
    #[error("a stream can't be made sure of")]
    Topology(#[from] TopologyError),
    #[error("{failed} of {taken} facts were not taken by the broker")]
    Publish { failed: usize, taken: usize, source: PublishError },
}

impl RoundError {
    /// A word for metrics.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Database(_) => "database",
            Self::Topology(_) => "topology",
            Self::Publish { .. } => "publish",
        }
    }
}

/// What a round did.
pub(super) struct Relayed {
    /// Facts that the broker has now.
    pub(super) count: usize,
    /// Whether there may be more.
    pub(super) more: bool,
}

/// A fact as the table has it.
#[derive(FromRow)]
struct Row {
    id: i64,
    subject: String,
    event_id: Uuid,
    body: Vec<u8>,
    traceparent: Option<String>,
}

pub(super) struct Round<'a> {
    pub(super) outbox: Outbox,
    pub(super) pool: &'a PgPool,
    pub(super) broker: &'a Broker,
}

impl Round<'_> {
    pub(super) async fn run(&self) -> Result<Relayed, RoundError> {
        let schema = self.outbox.schema;
        let mut transaction = self.pool.begin().await?;
        // The schema was checked to be a plain name.
        let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT id, subject, event_id, body, traceparent FROM {schema}.outbox \
             ORDER BY id LIMIT {BATCH} FOR UPDATE SKIP LOCKED"
        )))
        .fetch_all(&mut *transaction)
        .await?;
        let taken = rows.len();
        if taken == 0 {
            transaction.rollback().await?;
            return Ok(Relayed { count: 0, more: false });
        }
        let published = self.publish(rows).await;
        if !published.ids.is_empty() {
            sqlx::query(AssertSqlSafe(format!("DELETE FROM {schema}.outbox WHERE id = ANY($1)")))
                .bind(&published.ids)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        match published.error {
            None => Ok(Relayed { count: taken, more: i64::try_from(taken).is_ok_and(|taken| taken == BATCH) }),
            Some(source) => {
                // After the commit: a stream that is gone must not cost the facts that other streams have taken.
                if source.kind() == PublishErrorKind::StreamNotFound {
                    for stream in published.streams_missing {
                        self.broker.topology().ensure_stream(stream).await?;
                    }
                }
                Err(RoundError::Publish { failed: taken - published.ids.len(), taken, source })
            }
        }
    }

    /// Publishes all rows at once and awaits all acks; each ack has its time limit.
    async fn publish(&self, rows: Vec<Row>) -> Published {
        let acks = rows.into_iter().map(|row| async move {
            let Row { id, subject, event_id, body, traceparent } = row;
            let message = PublishMessage::build()
                .headers(trace::headers(traceparent.as_deref()))
                .message_id(event_id.to_string())
                .payload(body.into());
            let full_subject = self.broker.namespace().subject(&subject);
            let result =
                async { self.broker.jetstream().send_publish(full_subject, message).await?.into_future().await };
            (id, subject, result.await)
        });
        let mut published = Published::default();
        for (id, subject, result) in join_all(acks).await {
            match result {
                Ok(_ack) => {
                    published.ids.push(id);
                    Counter::OutboxRelayed.increment(&[("kind", kind_of(&subject))]);
                }
                Err(error) => {
                    if error.kind() == PublishErrorKind::StreamNotFound
                        && let Some(stream) = Stream::of_subject(&subject)
                        && !published.streams_missing.contains(&stream)
                    {
                        published.streams_missing.push(stream);
                    }
                    published.error = Some(error);
                }
            }
        }
        published
    }
}

/// What came of publishing.
#[derive(Default)]
struct Published {
    /// Rows that the broker has.
    ids: Vec<i64>,
    /// Streams that were not there.
    streams_missing: Vec<Stream>,
    /// The last failure.
    error: Option<PublishError>,
}

/// The event type of a subject, for metrics; the subject of an unknown one is not a label.
fn kind_of(subject: &str) -> &'static str {
    EventInfo::of_subject(subject).map_or("other", |info| info.kind)
}
