//! Webhooks by filter, in the order of their arrival, newest first. Their ids are in that order; so no index on times is needed where events are
//! stored fastest.

use serde::Serialize;
use sqlx::FromRow;
use time::{Duration, OffsetDateTime};
use utoipa::{IntoParams, ToSchema};
use uuid::{NoContext, Timestamp as Tick, Uuid};

use crate::input::{Fields, FromFields};
use crate::labels;
use crate::listing::{Conditions, List};
use crate::paging::Cursor;
use crate::timestamp::Timestamp;

/// What is selected for a [`Webhook`] of `ingress.for_config_api AS r`.
pub(super) const COLUMNS: &str = "r.id, r.source::text, r.event_id, r.event_type, r.status::text, r.occurred_at, r.received_at, r.applied_at, \
    r.attempts, r.wait_key, r.other_wait_key, r.error_code, r.error, r.remote_addr, r.user_agent, r.request_id, r.body_erased_at";

/// Who sends, as the column has them.
pub(super) const SOURCES: &[&str] = &["stripe", "flasherp"];
/// Where an event stands, as the column has them.
pub(super) const STATUSES: &[&str] = &["received", "applied", "parked", "ignored", "quarantined", "failed"];
/// An id is made a moment before or after its row is stored.
const SLACK: Duration = Duration::minutes(10);

pub(super) fn sources() -> utoipa::openapi::Object {
    labels::words(SOURCES.iter().copied())
}

pub(super) fn statuses() -> utoipa::openapi::Object {
    labels::words(STATUSES.iter().copied())
}

/// A received event.
#[derive(Clone, Debug, Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    pub id: Uuid,
    #[schema(schema_with = sources)]
    pub source: String,
    /// The sender's id of it.
    pub event_id: String,
    pub event_type: String,
    /// `parked`: waits for what `waitKey` names; `quarantined`: can't be used.
    #[schema(schema_with = statuses)]
    pub status: String,
    /// The sender's own time of it.
    #[schema(required)]
    pub occurred_at: Option<Timestamp>,
    pub received_at: Timestamp,
    #[schema(required)]
    pub applied_at: Option<Timestamp>,
    pub attempts: i32,
    /// What has to appear first, such as `stripe_customer:cus_123`.
    #[schema(required)]
    pub wait_key: Option<String>,
    /// What would do as well.
    #[schema(required)]
    pub other_wait_key: Option<String>,
    #[schema(required)]
    pub error_code: Option<String>,
    #[schema(required)]
    pub error: Option<String>,
    #[schema(required)]
    pub remote_addr: Option<String>,
    #[schema(required)]
    pub user_agent: Option<String>,
    #[schema(required)]
    pub request_id: Option<Uuid>,
    /// When its payload was erased, which holds personal data; then it can't be replayed.
    #[schema(required)]
    pub body_erased_at: Option<Timestamp>,
}

/// Which events; all that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Webhooks {
    pub source: Option<&'static str>,
    pub status: Option<&'static str>,
    pub event_type: Option<String>,
    pub event_id: Option<String>,
    pub from: Option<OffsetDateTime>,
    pub to: Option<OffsetDateTime>,
}

/// The parameters of [`Webhooks`], for the API's description.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `Webhooks` reads")]
pub struct WebhooksParameters {
    #[param(schema_with = sources)]
    source: Option<String>,
    #[param(schema_with = statuses)]
    status: Option<String>,
    /// Such as `payment_intent.succeeded`.
    #[param(min_length = 1, max_length = 255)]
    event_type: Option<String>,
    /// The sender's id.
    #[param(min_length = 1, max_length = 255)]
    event_id: Option<String>,
    /// Received then or later.
    from: Option<OffsetDateTime>,
    /// Received before then.
    to: Option<OffsetDateTime>,
}

impl FromFields for Webhooks {
    fn read(fields: &mut Fields) -> Self {
        Self {
            source: labels::one_of(fields, "source", SOURCES),
            status: labels::one_of(fields, "status", STATUSES),
            event_type: fields.text_of("eventType", 1..=255),
            event_id: fields.text_of("eventId", 1..=255),
            from: fields.time("from"),
            to: fields.time("to"),
        }
    }
}

impl List for Webhooks {
    type Row = Webhook;
    const FROM: &'static str = "ingress.for_config_api";
    const COLUMNS: &'static str = COLUMNS;
    const AT: Option<&'static str> = None;

    fn conditions(&self, only: &mut Conditions<'_>) {
        only.label("source", self.source);
        only.label("status", self.status);
        if self.status == Some("received") {
            // The same rows, in the words of the index that has just them.
            only.and().push("r.due_at IS NOT NULL");
        }
        only.equals("event_type", self.event_type.clone());
        only.equals("event_id", self.event_id.clone());
        only.within("received_at", self.from, self.to);
        if let Some(least) = self.from.and_then(|from| least_id(from.saturating_sub(SLACK))) {
            only.and().push("r.id >= ").push_bind(least);
        }
        if let Some(least) = self.to.and_then(|to| least_id(to.saturating_add(SLACK))) {
            only.and().push("r.id < ").push_bind(least);
        }
    }

    fn place(row: &Webhook) -> Cursor {
        Cursor { at: row.received_at.0, id: row.id }
    }
}

/// The least id of that time or later; none for a time before Unix', which no id has.
fn least_id(at: OffsetDateTime) -> Option<Uuid> {
    let seconds = u64::try_from(at.unix_timestamp()).ok().filter(|seconds| *seconds < 1 << 38)?;
    let made = Uuid::new_v7(Tick::from_unix(NoContext, seconds, at.nanosecond()));
    // What is drawn is set to nothing.
    let kept = made.as_u128() & !((1 << 80) - 1);
    Some(Uuid::from_u128(kept))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn ids_are_bounded_by_times() {
        let at = datetime!(2026-11-24 12:00:00.5 UTC);
        let seconds = u64::try_from(at.unix_timestamp()).expect("after 1970");
        let id = |milli: u32| Uuid::new_v7(Tick::from_unix(NoContext, seconds, milli * 1_000_000));
        let least = least_id(at).expect("after 1970");
        assert!(least <= id(500) && least > id(499));
        assert_eq!(least_id(datetime!(1969-01-01 0:00 UTC)), None);
    }
}
