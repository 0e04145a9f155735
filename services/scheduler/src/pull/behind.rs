//! How far behind the search for missed events is, read from the cursors by every scheduler, so that it grows also when no run succeeds and when
//! none is fired.

use std::time::Duration;

use serde_json::Value;
use service::metrics::Gauge;
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{FLASHERP, STRIPE, flasherp, stripe};
use crate::jobs::Job;

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Keeps the gauge until told to stop. A source that was never read has none.
pub(crate) async fn watch_behind(pool: PgPool, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let row: Result<Option<(Value, OffsetDateTime)>, sqlx::Error> =
            sqlx::query_as("SELECT resume_after, clock_timestamp() FROM scheduling.jobs WHERE name = $1")
                .bind(Job::PullMissedEvents.name())
                .fetch_optional(&pool)
                .await;
        match row {
            Ok(Some((cursors, now))) => {
                for (source, until) in until(&cursors) {
                    Gauge::MissedEventsBehind.set((now - until).whole_seconds().max(0), &[("source", source)]);
                }
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(error = error.to_string(), "the cursors can't be read now"),
        }
    }
}

/// Up to when each source is known.
fn until(cursors: &Value) -> Vec<(&'static str, OffsetDateTime)> {
    let read = |name: &str| cursors.get(name).cloned();
    let stripe = read(STRIPE).and_then(|stored| serde_json::from_value::<stripe::Cursor>(stored).ok());
    let flasherp = read(FLASHERP).and_then(|stored| serde_json::from_value::<flasherp::Cursor>(stored).ok());
    let stripe = stripe.map(|cursor| (STRIPE, cursor.until));
    let flasherp = flasherp.and_then(|cursor| Some((FLASHERP, cursor.until.values().map(|at| at.0).min()?)));
    [stripe, flasherp].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use time::macros::datetime;

    #[test]
    fn a_source_is_as_far_behind_as_the_type_that_is_furthest() {
        let cursors = json!({
            "stripe": {"until": "2026-11-24T10:00:00Z"},
            "flasherp": {"baseUrl": "x", "until": {"customer": "2026-11-24T09:00:00Z", "invoice": "2026-11-24T08:00:00Z"}},
        });
        let expected = vec![(STRIPE, datetime!(2026-11-24 10:00 UTC)), (FLASHERP, datetime!(2026-11-24 08:00 UTC))];
        assert_eq!(until(&cursors), expected);
        assert_eq!(until(&json!({})), vec![]);
    }
}
