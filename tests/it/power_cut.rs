//! The power of the machine under database, broker and services is cut under load, and all of it starts from what its disk held in that moment:
//! every event that was answered is there, and ends in FlashERP once.
//!
//! What needs a disk of its own runs in a mount namespace of its own, in a process of its own. Where no image can be mounted these tests say so
//! and prove nothing.

use std::time::Duration;

use sqlx::Connection as _;
use testkit::disk::{Disk, in_a_mount_namespace};
use testkit::eventually;
use testkit::faults::Fault;

use crate::storm::{Run, Size, run};
use crate::system::LONG;

fn size(events: u32, cuts: usize, again: &str) -> Size {
    Size {
        events,
        per_second: 150,
        faults: vec![Fault::PowerCut; cuts],
        keys: true,
        longest_step: Duration::from_secs(10),
        again: again.to_owned(),
        patience: Duration::from_secs(240),
    }
}

/// Runs one of the ignored tests below, or says why it can't. `again` is the command that has it again.
fn on_a_disk(name: &str, seed: u64, events: u32, cuts: u32, again: &str) {
    match Disk::why_not() {
        // To people: a test that was not run is no test that has passed.
        Some(why) => eprintln!("skipped: {}: the power can't be cut here: {why}", Fault::PowerCut),
        None => {
            let variable = |name: &'static str, value: u64| (name, value.to_string());
            let variables = [
                variable("POWER_CUT_SEED", seed),
                variable("POWER_CUT_EVENTS", u64::from(events)),
                variable("POWER_CUTS", u64::from(cuts)),
                ("POWER_CUT_AGAIN", again.to_owned()),
            ];
            in_a_mount_namespace(&format!("power_cut::{name}"), &variables);
        }
    }
}

/// For `./justw soak` of so many events, a tenth of which are sent here: more cuts, and their table.
pub(crate) fn soak(seed: u64, events: u32) {
    let again = format!("./justw soak --seed {seed} --events {events} --fault '{}'", Fault::PowerCut);
    on_a_disk("cuts", seed, events.div_ceil(10), 8, &again);
}

#[test]
fn what_was_answered_is_there_after_the_power_was_cut_and_ends_in_flasherp_once() {
    on_a_disk("cuts", 1, 400, 2, "./justw test-one what_was_answered_is_there_after_the_power_was_cut");
}

/// Takes away what carries the promise: a cut that loses nothing then would prove nothing.
#[test]
fn without_synchronous_commits_the_same_cut_loses_events() {
    on_a_disk("cut_without_synchronous_commits", 1, 400, 1, "./justw test-one without_synchronous_commits");
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the tests above, in a mount namespace of its own"]
async fn cuts() {
    let (Some(seed), Some(events), Some(cuts)) =
        (number("POWER_CUT_SEED"), number("POWER_CUT_EVENTS"), number("POWER_CUTS"))
    else {
        return eprintln!("skipped: run by other tests only");
    };
    let again = std::env::var("POWER_CUT_AGAIN").unwrap_or_default();
    let size =
        size(u32::try_from(events).expect("not that many"), usize::try_from(cuts).expect("not that many"), &again);
    let matrix = run(seed, &size, Some(Disk::make())).await;
    eprintln!("power cuts: seed {seed}: nothing lost, doubled, unexpected, stale or different\n\n{matrix}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the test above, in a mount namespace of its own"]
async fn cut_without_synchronous_commits() {
    let Some(seed) = number("POWER_CUT_SEED") else { return eprintln!("skipped: run by other tests only") };
    let size = size(400, 1, &std::env::var("POWER_CUT_AGAIN").unwrap_or_default());
    let mut run = Run::start(seed, &size, Some(Disk::make())).await;
    let mut admin = sqlx::PgConnection::connect(&run.stage.database.admin_url()).await.expect("the superuser gets in");
    for statement in [
        "ALTER SYSTEM SET wal_writer_delay = '10s'",
        "ALTER SYSTEM SET wal_writer_flush_after = '1GB'",
        "SELECT pg_reload_conf()",
        "ALTER DATABASE erp SET synchronous_commit = off",
        // Sessions of before still wait for their commits.
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'erp' AND pid <> pg_backend_pid()",
    ] {
        sqlx::query(statement).execute(&mut admin).await.expect(statement);
    }
    run.send(0, size.events / 3).await;
    eventually(LONG, "events are answered", || async { run.stage.history.accepted() >= 100 }).await;
    run.stage.cut_power();
    run.stage.boot().await;
    assert!(!run.stage.lost_events().await.is_empty(), "a cut that loses nothing of what was not synced is none");
}
