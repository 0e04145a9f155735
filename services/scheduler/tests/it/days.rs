//! Three schedulers over simulated days, all at once, each killed and started again at random, with the night in them that has two o'clock twice. The clock
//! is passed in and moved on; what the schedulers have fired is held against times that are worked out here, without the schedulers' own calendar.

use std::time::Duration;

use chrono::{DateTime, Timelike as _};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use scheduler::timetable::{add_missing, look};
use sqlx::PgPool;
use testkit::TestDatabase;
use time::macros::datetime;
use time::{Duration as Span, OffsetDateTime};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::firings::{Row, complaints};

/// Summer time ends in Berlin in the night of the second day.
const BEGIN: OffsetDateTime = datetime!(2026-10-24 00:00 UTC);
const DAYS: i64 = 3;
const LEASE: Duration = Duration::from_secs(150);
const SCHEDULERS: usize = 3;

/// A job's times, as the timetable has them and as they are told here.
struct Planned {
    job: &'static str,
    cron: &'static str,
    zone: &'static str,
    /// Whether it comes at this hour and minute there.
    comes: fn(u32, u32) -> bool,
    /// A time of the day comes once where clocks are set back; a rhythm goes on.
    is_time_of_day: bool,
}

const PLANNED: [Planned; 5] = [
    Planned {
        job: "pull-missed-events",
        cron: "*/10 * * * *",
        zone: "UTC",
        comes: |_, minute| minute % 10 == 0,
        is_time_of_day: false,
    },
    Planned {
        job: "health-check",
        cron: "*/15 * * * *",
        zone: "Asia/Kolkata",
        comes: |_, minute| minute % 15 == 0,
        is_time_of_day: false,
    },
    Planned {
        job: "sync-subscriptions",
        cron: "0 */6 * * *",
        zone: "America/New_York",
        comes: |hour, minute| hour % 6 == 0 && minute == 0,
        is_time_of_day: false,
    },
    Planned {
        job: "retry-queue",
        cron: "*/20 2 * * *",
        zone: "Europe/Berlin",
        comes: |hour, minute| hour == 2 && minute % 20 == 0,
        is_time_of_day: false,
    },
    Planned {
        job: "reconciliation",
        cron: "30 2 * * *",
        zone: "Europe/Berlin",
        comes: |hour, minute| hour == 2 && minute == 30,
        is_time_of_day: true,
    },
];

/// When it comes in the simulated days, and in most of the hour after them: each minute is looked at.
fn times(planned: &Planned) -> Vec<OffsetDateTime> {
    let zone: chrono_tz::Tz = planned.zone.parse().expect("a zone");
    let mut times: Vec<(OffsetDateTime, chrono::NaiveDateTime)> = Vec::new();
    for minute in 1..=DAYS * 24 * 60 + 59 {
        let at = BEGIN + Span::minutes(minute);
        let there = DateTime::from_timestamp(at.unix_timestamp(), 0).expect("a time").with_timezone(&zone);
        let came_before = times.iter().any(|(_, local)| *local == there.naive_local());
        if (planned.comes)(there.hour(), there.minute()) && !(planned.is_time_of_day && came_before) {
            times.push((at, there.naive_local()));
        }
    }
    times.into_iter().map(|(at, _)| at).collect()
}

#[test]
fn the_night_with_two_oclock_twice_is_worked_out_as_the_calendar_has_it() {
    let of = |job: &str| times(PLANNED.iter().find(|planned| planned.job == job).expect("planned"));
    let hour = |at: &OffsetDateTime| (at.day(), at.hour(), at.minute());
    // At half past two before the change (summer time), at the first of the two, and after it (winter time).
    assert_eq!(of("reconciliation").iter().map(hour).collect::<Vec<_>>(), [(24, 0, 30), (25, 0, 30), (26, 1, 30)]);
    let rhythm: Vec<_> = of("retry-queue").iter().map(hour).collect();
    let doubled = [(25, 0, 0), (25, 0, 20), (25, 0, 40), (25, 1, 0), (25, 1, 20), (25, 1, 40)];
    assert_eq!(rhythm.len(), 2 + 6 + 3, "the first of the first day is its beginning: {rhythm:?}");
    assert!(doubled.iter().all(|time| rhythm.contains(time)), "{rhythm:?}");
}

async fn timetable() -> (TestDatabase, PgPool) {
    let database = TestDatabase::new().await;
    let pool = database.pool("erp_scheduler").await;
    add_missing(&pool).await.expect("filled");
    sqlx::query("UPDATE scheduling.jobs SET paused_at = now(), pause_reason = 'not in this test'")
        .execute(&pool)
        .await
        .expect("paused");
    for planned in &PLANNED {
        sqlx::query(
            "UPDATE scheduling.jobs SET cron = $2, interval_secs = NULL, time_zone = $3, next_run_at = $4, planned_schedule = concat_ws('|', $2, $3),
                paused_at = NULL, pause_reason = NULL
             WHERE name = $1",
        )
        .bind(planned.job)
        .bind(planned.cron)
        .bind(planned.zone)
        .bind(times(planned)[0])
        .execute(&pool)
        .await
        .expect("scheduled");
    }
    (database, pool)
}

/// Looks at the timetable whenever the clock has moved, as a scheduler does twice a second; says up to which time it has looked. A run takes as long as
/// `chance` has it.
async fn scheduler(
    pool: PgPool,
    instance: Uuid,
    mut clock: watch::Receiver<OffsetDateTime>,
    looked: watch::Sender<OffsetDateTime>,
    mut chance: StdRng,
) {
    let mut in_hand: Vec<(Uuid, OffsetDateTime)> = Vec::new();
    let never = CancellationToken::new();
    loop {
        let now = *clock.borrow_and_update();
        let (done, rest): (Vec<_>, Vec<_>) = in_hand.drain(..).partition(|(_, until)| *until <= now);
        in_hand = rest;
        if !done.is_empty() {
            sqlx::query(
                "UPDATE scheduling.job_runs SET status = 'succeeded', finished_at = $2, lease_owner = NULL, lease_until = NULL
                 WHERE id = ANY ($1) AND status = 'running'",
            )
            .bind(done.iter().map(|(id, _)| *id).collect::<Vec<_>>())
            .bind(now)
            .execute(&pool)
            .await
            .expect("ended");
        }
        look(&pool, instance, LEASE, Some(now), &never, |run| {
            in_hand.push((run.run.id, now + Span::seconds(chance.random_range(0..80))));
        })
        .await
        .expect("looked");
        looked.send_replace(now);
        if clock.changed().await.is_err() {
            return;
        }
    }
}

/// A scheduler that runs, or since when it is dead and until when.
enum Life {
    Runs(JoinHandle<()>, watch::Receiver<OffsetDateTime>),
    DeadUntil(OffsetDateTime),
}

struct Days {
    pool: PgPool,
    clock: watch::Sender<OffsetDateTime>,
    chance: StdRng,
    lives: Vec<Life>,
    kills: u32,
    /// The times up to which a scheduler has looked, in order.
    looks: Vec<OffsetDateTime>,
}

impl Days {
    fn start(&mut self, place: usize) {
        let (looked, look) = watch::channel(BEGIN);
        let chance = StdRng::seed_from_u64(self.chance.random());
        let task =
            scheduler(self.pool.clone(), Uuid::from_u128(place as u128 + 1), self.clock.subscribe(), looked, chance);
        self.lives[place] = Life::Runs(tokio::spawn(task), look);
    }

    /// Kills a scheduler wherever it is; what it had in hand is left to its lease.
    async fn kill(&mut self, place: usize, until: OffsetDateTime) {
        if let Life::Runs(task, _) = std::mem::replace(&mut self.lives[place], Life::DeadUntil(until)) {
            task.abort();
            let ended = task.await;
            assert!(ended.is_err_and(|error| error.is_cancelled()), "it ran until it was killed");
            self.kills += 1;
        }
    }

    /// Moves the clock, kills some in the middle of what that sets off, and waits until those that live have looked.
    async fn step(&mut self, now: OffsetDateTime) {
        self.clock.send_replace(now);
        for place in 0..SCHEDULERS {
            if matches!(self.lives[place], Life::DeadUntil(until) if until <= now) {
                self.start(place);
            }
        }
        for place in 0..SCHEDULERS {
            if self.chance.random_ratio(1, 60) {
                // Somewhere between two of its statements.
                for _ in 0..self.chance.random_range(0..40) {
                    tokio::task::yield_now().await;
                }
                let until = now + Span::seconds(self.chance.random_range(0..900));
                self.kill(place, until).await;
            }
        }
        let mut somebody_looked = false;
        for life in &mut self.lives {
            let Life::Runs(task, look) = life else { continue };
            let seen = tokio::time::timeout(crate::kit::SOON, look.wait_for(|looked| *looked >= now)).await;
            assert!(matches!(seen, Ok(Ok(_))), "a scheduler has ended by itself: {}", task.is_finished());
            somebody_looked = true;
        }
        if somebody_looked {
            self.looks.push(now);
        }
    }
}

async fn simulate(seed: u64) {
    let (_database, pool) = timetable().await;
    let mut days = Days {
        pool: pool.clone(),
        clock: watch::channel(BEGIN).0,
        chance: StdRng::seed_from_u64(seed),
        lives: (0..SCHEDULERS).map(|_| Life::DeadUntil(BEGIN)).collect(),
        kills: 0,
        looks: Vec::new(),
    };
    let mut now = BEGIN;
    while now < BEGIN + Span::days(DAYS) {
        now += Span::seconds(days.chance.random_range(20..100));
        days.step(now).await;
        // Now and then all of them are dead, for up to an hour.
        if days.chance.random_ratio(1, 500) {
            let until = now + Span::seconds(days.chance.random_range(600..3_600));
            for place in 0..SCHEDULERS {
                days.kill(place, until).await;
            }
        }
    }
    // Whoever is dead is started again, and what was lost is made up for.
    for life in &mut days.lives {
        if let Life::DeadUntil(until) = life {
            *until = now;
        }
    }
    for _ in 0..20 {
        now += Span::seconds(100);
        days.step(now).await;
    }
    for place in 0..SCHEDULERS {
        days.kill(place, now).await;
    }
    let (mut abandoned, mut rows_of_all) = (0, 0);
    for planned in &PLANNED {
        let rows = rows(&pool, planned.job).await;
        let found = complaints(&times(planned), BEGIN + Span::days(DAYS), &rows, &days.looks);
        assert!(found.is_empty(), "seed {seed}: {}: {found:#?}", planned.job);
        abandoned += rows.iter().filter(|row| row.status == "abandoned").count();
        rows_of_all += rows.len();
    }
    assert!(days.kills > 80 && abandoned > 5, "seed {seed}: {} kills, {abandoned} abandoned", days.kills);
    assert!(rows_of_all > 600, "seed {seed}: {rows_of_all}");
    let by: i64 = sqlx::query_scalar("SELECT count(DISTINCT instance) FROM scheduling.job_runs")
        .fetch_one(&pool)
        .await
        .expect("a count");
    assert_eq!(by, 3, "all took part");
}

async fn rows(pool: &PgPool, job: &str) -> Vec<Row> {
    sqlx::query_as(
        "SELECT scheduled_for, status::text, started_at, finished_at FROM scheduling.job_runs WHERE job_name = $1 ORDER BY started_at, id",
    )
    .bind(job)
    .fetch_all(pool)
    .await
    .expect("runs")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_days_of_three_dying_schedulers_each_time_is_fired_once() {
    simulate(1).await;
}
