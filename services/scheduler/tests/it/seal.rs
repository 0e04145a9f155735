//! `seal-audit-log`, by a scheduler that may die at every point.

use std::time::Duration;

use audit::verify::{Options, Verdict};
use sqlx::{Connection as _, PgConnection};
use testkit::{Service, eventually};

use crate::kit::{SOON, World};

const SEAL: &str = "seal-audit-log";

async fn append(world: &World) {
    world
        .run("INSERT INTO audit.erp_audit_logs (action, entity_type, status) SELECT 'sync', 'transaction', 'success' FROM generate_series(1, 50)")
        .await;
}

async fn verified(world: &World) -> Verdict {
    let mut connection = PgConnection::connect(&world.database.url_for("erp_scheduler")).await.expect("connected");
    audit::verify(&mut connection, &Options::default()).await.expect("read")
}

/// Waits until a run has left no row without a seal.
async fn all_sealed(world: &World) -> Verdict {
    eventually(SOON, "every row is sealed", || async {
        let run = world.run_job(SEAL).await;
        assert_ne!(run.status, "failed", "{run:?}");
        verified(world).await.rows_unsealed == 0
    })
    .await;
    verified(world).await
}

#[tokio::test]
async fn rows_are_sealed_told_and_logged() {
    let world = World::new().await;
    let scheduler = world.scheduler().await;
    append(&world).await;
    let verdict = all_sealed(&world).await;
    assert!(verdict.intact && verdict.rows_sealed >= 50, "{verdict:?}");
    let head = verdict.head.expect("a head");
    let log = std::fs::read_to_string(scheduler.log()).expect("the log");
    assert!(log.lines().any(|line| line.contains("the audit log is sealed") && line.contains(&head)), "{log}");
    let until_relayed = "SELECT count(*) FROM scheduling.outbox";
    eventually(SOON, "the facts are relayed", || async { world.count(until_relayed).await == 0 }).await;
}

async fn dies_at(point: &str) {
    let world = World::new().await;
    append(&world).await;
    let fatal = world.scheduler_options("scheduler").env("JOB_LEASE_SECS", "4").env("ERP_FAILPOINT", point);
    let mut dying = Service::start(fatal).await.expect("it starts");
    dying.until_ready(SOON).await.expect("ready");
    // Asked for again until there is something to seal: transactions of other tests hold it up.
    let mut ended = None;
    for _ in 0..SOON.as_secs() {
        let _: bool = sqlx::query_scalar("SELECT scheduling.run_now($1, 'ada')")
            .bind(SEAL)
            .fetch_one(&world.pool)
            .await
            .expect("asked");
        ended = dying.until_ended(Duration::from_secs(1)).await.ok();
        if ended.is_some() {
            break;
        }
    }
    let end = ended.unwrap_or_else(|| panic!("it never came to {point}"));
    assert!(end.contains("signal: 6"), "it ended otherwise than at {point}: {end}");
    let facts = world.count("SELECT count(*) FROM scheduling.outbox WHERE subject = 'audit.sealed'").await;
    let seals = world.count("SELECT count(*) FROM audit.seals").await;
    assert!(facts <= seals, "{facts} facts tell of {seals} seals");
    append(&world).await;
    let _next = world.start(world.scheduler_options("next").env("JOB_LEASE_SECS", "4")).await;
    let verdict = all_sealed(&world).await;
    assert!(verdict.intact && verdict.rows_sealed >= 100, "{verdict:?}");
}

#[tokio::test]
async fn one_that_dies_before_its_seal_is_committed_has_made_none() {
    dies_at("scheduler.before_seal").await;
}

#[tokio::test]
async fn one_that_dies_after_its_seal_is_gone_on_from() {
    dies_at("scheduler.after_seal").await;
}

#[tokio::test]
async fn three_schedulers_make_one_chain() {
    let world = World::new().await;
    let mut schedulers = Vec::new();
    for name in ["one", "two", "three"] {
        schedulers.push(world.start(world.scheduler_options(name)).await);
    }
    for _ in 0..5 {
        append(&world).await;
        world.run_job(SEAL).await;
    }
    let verdict = all_sealed(&world).await;
    assert!(verdict.intact && verdict.rows_checked >= 250, "{verdict:?}");
}
