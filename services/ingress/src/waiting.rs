//! How many events wait to be applied, and how many are parked: gauges, counted by the owner of the table. The due and the parked are what partial
//! indexes hold, so that counting them costs what they are, not what is stored. After an outage of the workers that are many, and just then the
//! database has better things to do: the longer a count takes, the longer it is until the next.

use std::time::{Duration, Instant};

use service::metrics::Gauge;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

/// How often they are counted.
const INTERVAL: Duration = Duration::from_secs(5);
/// Of the time at most this part is spent counting.
const SHARE: u32 = 100;

const SOURCES: [&str; 2] = ["stripe", "flasherp"];

/// Counts until `stop`. While the database is away the last figures stand.
pub(crate) async fn count_waiting(pool: PgPool, stop: CancellationToken) {
    let mut pause = Duration::ZERO;
    while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
        let begun = Instant::now();
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
            Err(error) => {
                tracing::debug!(error = error.to_string(), "waiting events could not be counted");
                // How long that took says how far away the database is, and nothing of a count.
                pause = INTERVAL;
                continue;
            }
        }
        pause = INTERVAL.max(begun.elapsed() * SHARE);
    }
}
