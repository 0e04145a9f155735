//! Attempts by the minute: how many went well, how many failed, how long they took. Counted from the audit log, whose rows never change: a minute that
//! is over is counted once and remembered, and only the newest are counted again, so that seven days of millions of attempts cost no more than the last
//! minutes. (A row that is committed more than two minutes after it was written is not seen before a restart.)

use std::collections::BTreeMap;

use sqlx::PgPool;
use time::{Duration, OffsetDateTime};

/// Remembered so long.
const REMEMBERED: Duration = Duration::days(7);
/// A minute is over when it was so long ago: by then its rows are committed.
const SETTLED_AFTER: Duration = Duration::minutes(2);
/// Counted in one statement at most.
const AT_ONCE: Duration = Duration::hours(6);

/// What happened in a minute, or in many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub success: i64,
    pub failed: i64,
    /// Milliseconds, all attempts together.
    duration_sum: i64,
    /// How many attempts took how many milliseconds, to two digits.
    durations: BTreeMap<i32, i64>,
}

impl Tally {
    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        self.success += other.success;
        self.failed += other.failed;
        self.duration_sum += other.duration_sum;
        for (duration, count) in &other.durations {
            *self.durations.entry(*duration).or_default() += count;
        }
    }

    /// Attempts.
    #[must_use]
    pub const fn total(&self) -> i64 {
        self.success + self.failed
    }

    /// Milliseconds on average; none without attempts.
    #[must_use]
    pub fn average(&self) -> Option<i64> {
        let counted: i64 = self.durations.values().sum();
        (counted > 0).then(|| self.duration_sum / counted)
    }

    /// The milliseconds that so many percent did not exceed, to two digits; none without attempts.
    #[must_use]
    pub fn percentile(&self, percent: i64) -> Option<i32> {
        let counted: i64 = self.durations.values().sum();
        let wanted = (counted * percent + 99) / 100;
        let mut passed = 0;
        self.durations.iter().find_map(|(duration, count)| {
            passed += count;
            (counted > 0 && passed >= wanted).then_some(*duration)
        })
    }
}

/// The minutes of the last seven days, by their beginning in Unix minutes.
#[derive(Clone, Debug, Default)]
pub struct Minutes {
    tallies: BTreeMap<i64, Tally>,
    settled_until: Option<OffsetDateTime>,
}

#[derive(sqlx::FromRow)]
struct Row {
    minute: i64,
    is_success: bool,
    duration: i32,
    count: i64,
    duration_sum: i64,
}

impl Minutes {
    /// Counts what is new since the last time.
    ///
    /// # Errors
    /// The database; what was counted before stays.
    pub async fn refresh(&mut self, pool: &PgPool, now: OffsetDateTime) -> Result<(), sqlx::Error> {
        let oldest = truncated(now - REMEMBERED);
        let settled = truncated(now - SETTLED_AFTER);
        let mut from = self.settled_until.filter(|until| *until > oldest).unwrap_or(oldest);
        // What was still open is counted anew.
        self.tallies.retain(|minute, _| *minute >= minutes(oldest) && *minute < minutes(from));
        while from < settled {
            let to = (from + AT_ONCE).min(settled);
            self.count(pool, from, Some(to)).await?;
            from = to;
            self.settled_until = Some(to);
        }
        self.count(pool, from, None).await
    }

    async fn count(
        &mut self,
        pool: &PgPool,
        from: OffsetDateTime,
        to: Option<OffsetDateTime>,
    ) -> Result<(), sqlx::Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT minute, is_success, duration, count(*) AS count, sum(duration_ms)::bigint AS duration_sum
             FROM (SELECT floor(extract(epoch FROM created_at) / 60)::bigint AS minute, status = 'success' AS is_success,
                    coalesce(duration_ms, 0) AS duration_ms,
                    CASE WHEN duration_ms IS NULL THEN 0 WHEN duration_ms < 100 THEN duration_ms WHEN duration_ms < 1000 THEN duration_ms / 10 * 10
                        WHEN duration_ms < 10000 THEN duration_ms / 100 * 100 ELSE duration_ms / 1000 * 1000 END AS duration
                FROM audit.erp_audit_logs
                WHERE action IN ('sync', 'manual_sync') AND erp_sync_id IS NOT NULL AND created_at >= $1
                    AND created_at < coalesce($2, 'infinity'::timestamptz)) AS attempts
             GROUP BY minute, is_success, duration",
        )
        .bind(from)
        .bind(to)
        .persistent(false)
        .fetch_all(pool)
        .await?;
        for row in rows {
            let tally = self.tallies.entry(row.minute).or_default();
            *if row.is_success { &mut tally.success } else { &mut tally.failed } += row.count;
            tally.duration_sum += row.duration_sum;
            *tally.durations.entry(row.duration).or_default() += row.count;
        }
        Ok(())
    }

    /// All since then.
    #[must_use]
    pub fn since(&self, from: OffsetDateTime) -> Tally {
        let mut all = Tally::default();
        self.tallies.range(minutes(from)..).for_each(|(_, tally)| all.add(tally));
        all
    }

    /// From then on, step by step, to the step that `now` is in: its beginning, and what happened in it.
    #[must_use]
    pub fn series(
        &self,
        from: OffsetDateTime,
        now: OffsetDateTime,
        step_minutes: i64,
    ) -> Vec<(OffsetDateTime, i64, i64)> {
        let first = minutes(from).div_euclid(step_minutes);
        (first..=minutes(now).div_euclid(step_minutes))
            .filter_map(|step| {
                let begin = step * step_minutes;
                let within = self.tallies.range(begin..begin + step_minutes);
                let (success, failed) =
                    within.fold((0, 0), |sum, (_, tally)| (sum.0 + tally.success, sum.1 + tally.failed));
                Some((OffsetDateTime::from_unix_timestamp(begin * 60).ok()?, success, failed))
            })
            .collect()
    }
}

fn minutes(at: OffsetDateTime) -> i64 {
    at.unix_timestamp().div_euclid(60)
}

fn truncated(at: OffsetDateTime) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(minutes(at) * 60).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_all_attempts_together() {
        let mut all = Tally::default();
        for duration in 1..=100 {
            let one =
                Tally { success: 1, failed: 0, duration_sum: i64::from(duration), durations: [(duration, 1)].into() };
            all.add(&one);
        }
        let percentiles = [50, 95, 99, 100].map(|percent| all.percentile(percent));
        assert_eq!(percentiles, [Some(50), Some(95), Some(99), Some(100)]);
        assert_eq!((all.average(), all.total()), (Some(50), 100));
        assert_eq!((Tally::default().percentile(50), Tally::default().average()), (None, None));
    }

    #[test]
    fn a_series_has_every_step_also_the_empty_ones() {
        let at = |minute: i64| OffsetDateTime::from_unix_timestamp(minute * 60).expect("in range");
        let one = Tally { success: 2, failed: 1, ..Tally::default() };
        let minutes = Minutes { tallies: [(62, one.clone()), (119, one)].into(), settled_until: None };
        let hours = minutes.series(at(0), at(130), 60);
        assert_eq!(hours, [(at(0), 0, 0), (at(60), 4, 2), (at(120), 0, 0)]);
    }
}
