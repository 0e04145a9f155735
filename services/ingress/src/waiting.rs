//! How many events wait to be applied, and how many are parked: gauges, counted by the owner of the table. The due and the parked are what partial
//! indexes hold, so that counting them costs what they are, not what is stored.

use std::time::Duration;

use service::metrics::Gauge;
use sqlx::PgPool;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// How often they are counted.
const INTERVAL: Duration = Duration::from_secs(5);

const SOURCES: [&str; 2] = ["stripe", "flasherp"];

/// Counts until `stop`. While the database is away the last figures stand.
pub(crate) async fn count_waiting(pool: PgPool, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let counted: Result<Vec<(String, i64, i64)>, sqlx::Error> = sqlx::query_as(
            "SELECT source::text, sum(waiting)::bigint, sum(parked)::bigint FROM (
                SELECT source, count(*) AS waiting, 0 AS parked FROM ingress.webhook_events WHERE due_at IS NOT NULL GROUP BY source
                UNION ALL
                SELECT source, 0, count(*) FROM ingress.webhook_events WHERE wait_key IS NOT NULL GROUP BY source) AS counts
             GROUP BY source",
        )
        .fetch_all(&pool)
        .await;
        match counted {
            Ok(counts) => {
                for source in SOURCES {
                    let (waiting, parked) = counts
                        .iter()
                        .find(|(of, ..)| of == source)
                        .map_or((0, 0), |(_, waiting, parked)| (*waiting, *parked));
                    Gauge::EventsWaiting.set(waiting, &[("source", source)]);
                    Gauge::EventsParked.set(parked, &[("source", source)]);
                }
            }
            Err(error) => tracing::debug!(error = error.to_string(), "waiting events could not be counted"),
        }
    }
}
