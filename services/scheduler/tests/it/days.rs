//! Three schedulers over simulated days, each killed and started again at random, with the night in them that has 02:30 twice: each time of the
//! timetable is fired once, a run that died is made up for, and no job runs twice at once. The clock is passed in.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use scheduler::schedule::Schedule;
use scheduler::timetable::{abandon_expired, add_missing, fire};
use sqlx::PgPool;
use testkit::TestDatabase;
use time::macros::datetime;
use time::{Duration as Span, OffsetDateTime};
use uuid::Uuid;

/// Summer time ends in Berlin in the night of the second day.
const BEGIN: OffsetDateTime = datetime!(2026-10-24 00:00 UTC);
const DAYS: i64 = 3;
const LEASE: Duration = Duration::from_secs(90);
/// The simulated time between two looks.
const STEP: Span = Span::seconds(45);
const SCHEDULES: [(&str, &str, &str); 4] = [
    ("pull-missed-events", "*/10 * * * *", "UTC"),
    ("health-check", "*/15 * * * *", "Asia/Kolkata"),
    ("sync-subscriptions", "0 */6 * * *", "America/New_York"),
    ("reconciliation", "30 2 * * *", "Europe/Berlin"),
];

async fn timetable() -> (TestDatabase, PgPool) {
    let database = TestDatabase::new().await;
    let pool = database.pool("erp_scheduler").await;
    add_missing(&pool).await.expect("filled");
    sqlx::query("UPDATE scheduling.jobs SET paused_at = now(), pause_reason = 'not in this test'")
        .execute(&pool)
        .await
        .expect("paused");
    for (job, cron, zone) in SCHEDULES {
        let first =
            Schedule::parse(Some(cron), None, zone).and_then(|schedule| schedule.next_after(BEGIN)).expect("it comes");
        sqlx::query(
            "UPDATE scheduling.jobs SET cron = $2, time_zone = $3, next_run_at = $4, paused_at = NULL, pause_reason = NULL
             WHERE name = $1",
        )
        .bind(job)
        .bind(cron)
        .bind(zone)
        .bind(first)
        .execute(&pool)
        .await
        .expect("scheduled");
    }
    (database, pool)
}

/// A run in a scheduler's hands, and when it will be done.
struct InHand {
    id: Uuid,
    until: OffsetDateTime,
}

/// One scheduler's look at its clock: ends what is done, and fires what is due. A dead one does nothing until it is started again.
async fn look(pool: &PgPool, now: OffsetDateTime, in_hand: &mut Vec<InHand>, chance: &mut StdRng) {
    abandon_expired(pool, Some(now)).await.expect("looked");
    let (done, rest): (Vec<InHand>, Vec<InHand>) = in_hand.drain(..).partition(|run| run.until <= now);
    *in_hand = rest;
    let finish =
        "UPDATE scheduling.job_runs SET status = 'succeeded', finished_at = $2, lease_owner = NULL, lease_until = NULL
        WHERE id = ANY ($1) AND status = 'running'";
    let done: Vec<Uuid> = done.into_iter().map(|run| run.id).collect();
    sqlx::query(finish).bind(done).bind(now).execute(pool).await.expect("ended");
    while let Some(fired) = fire(pool, LEASE, Some(now)).await.expect("looked") {
        in_hand.push(InHand { id: fired.run.id, until: now + Span::seconds(chance.random_range(0..80)) });
    }
}

async fn simulate(seed: u64) {
    let (_database, pool) = timetable().await;
    let mut chance = StdRng::seed_from_u64(seed);
    let mut schedulers: [Vec<InHand>; 3] = Default::default();
    let mut dead_until = [BEGIN; 3];
    let (mut now, mut kills) = (BEGIN, 0);
    while now < BEGIN + Span::days(DAYS) {
        now += STEP;
        for (place, in_hand) in schedulers.iter_mut().enumerate() {
            // Killed: what it had in hand is left to its lease. One of the three lives always, if only to be the next.
            if place > 0 && chance.random_ratio(1, 60) {
                kills += 1;
                in_hand.clear();
                dead_until[place] = now + Span::seconds(chance.random_range(0..900));
            }
        }
        // The first dies and is started again at once.
        if chance.random_ratio(1, 40) {
            kills += 1;
            schedulers[0].clear();
        }
        let order = chance.random_range(0..3);
        for turn in 0..3 {
            let place = (order + turn) % 3;
            if dead_until[place] <= now {
                look(&pool, now, &mut schedulers[place], &mut chance).await;
            }
        }
    }
    assert!(kills > 80, "{kills}");
    check(&pool, seed).await;
}

/// Scheduled for, status, begun, ended.
type Row = (OffsetDateTime, String, OffsetDateTime, Option<OffsetDateTime>);

async fn check(pool: &PgPool, seed: u64) {
    let mut died = 0;
    for (job, cron, zone) in SCHEDULES {
        let runs: Vec<Row> = sqlx::query_as(
            "SELECT scheduled_for, status::text, started_at, finished_at FROM scheduling.job_runs WHERE job_name = $1 ORDER BY started_at, id",
        )
        .bind(job)
        .fetch_all(pool)
        .await
        .expect("runs");
        let mut fired: BTreeMap<OffsetDateTime, u32> = BTreeMap::new();
        for (scheduled, ..) in &runs {
            *fired.entry(*scheduled).or_default() += 1;
        }
        let schedule = Schedule::parse(Some(cron), None, zone).expect("a schedule");
        let (mut expected, mut at) = (0, BEGIN);
        loop {
            at = schedule.next_after(at).expect("it comes");
            if at > BEGIN + Span::days(DAYS) - Span::minutes(5) {
                break;
            }
            expected += 1;
            assert_eq!(fired.remove(&at), Some(1), "seed {seed}: {job} at {at}");
        }
        let abandoned = runs.iter().filter(|(_, status, ..)| status == "abandoned").count();
        died += abandoned;
        // What is left makes up for those that died, one for one, but for what was in hand at the end.
        let made_up = fired.values().filter(|times| **times == 1).count();
        assert_eq!(made_up, fired.len(), "seed {seed}: {job}");
        assert!(made_up.abs_diff(abandoned) <= 1, "seed {seed}: {job}: {made_up} for {abandoned} of {expected}");
        for pair in runs.windows(2) {
            let [(.., ended), (_, _, begun, _)] = pair else { continue };
            assert!(ended.is_some_and(|ended| ended <= *begun), "seed {seed}: {job} ran twice at {begun}");
        }
    }
    assert!(died > 0, "seed {seed}: nobody died with a run in hand");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_days_of_dying_schedulers_each_time_is_fired_once() {
    simulate(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_so_by_other_deaths() {
    simulate(2).await;
}
