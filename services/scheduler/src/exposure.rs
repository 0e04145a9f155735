//! How much money is not in FlashERP yet, per currency and age, as metrics. Read by every scheduler from the rows, so that it grows also when no job runs and
//! no worker does.

use std::collections::BTreeSet;
use std::time::Duration;

use service::metrics::Gauge;
use sqlx::PgPool;
use syncs::exposure::{AGES, read};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// How often it is looked at: it reads all that waits.
const LOOK: Duration = Duration::from_secs(15);

/// Keeps the gauges until told to stop. A currency of which nothing waits any more has zeros.
pub(crate) async fn watch(pool: PgPool, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known: BTreeSet<String> = BTreeSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let exposed = match read(&pool).await {
            Ok(exposed) => exposed,
            Err(error) => {
                tracing::debug!(error = error.to_string(), "what is not in FlashERP can't be read now");
                continue;
            }
        };
        known.extend(exposed.iter().map(|of| of.currency.clone()));
        for currency in &known {
            let of = exposed.iter().find(|of| of.currency == *currency);
            let shown = currency.to_uppercase();
            for (age, name) in AGES.into_iter().enumerate() {
                let labels = [("currency", shown.as_str()), ("age", name)];
                Gauge::Exposure.set(of.map_or(0, |of| of.units[age]), &labels);
                Gauge::ExposedTransactions.set(of.map_or(0, |of| of.counts[age]), &labels);
            }
        }
    }
}
