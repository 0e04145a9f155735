//! A worker that is told to stop finishes what it has in hand or hands it back, and ends by itself, whatever is away or does not answer
//! meanwhile: nobody has to kill it, and what it leaves is done by the next one, once.

use rustix::process::Signal;
use testkit::Service;
use testkit::sandbox::{Fault, FaultAction};

use crate::system::{LONG, Plan, System};

const STORIES: u32 = 120;
const PER_SECOND: u32 = 150;

/// A system with work in its worker's hands, whose grace period is longer than any test waits.
async fn at_work() -> (System, u64) {
    let plan = Plan::new().await;
    let mut system = plan.start().await;
    let patient = system.worker_options.clone().env("ERP_SHUTDOWN_GRACE_SECS", "3600");
    system.worker.stop().await.expect("it stops");
    system.worker = Service::start(patient).await.expect("it starts");
    system.worker.until_ready(LONG).await.expect("ready");
    let send = system.send(STORIES, PER_SECOND).await;
    system.accepted(send, 60).await;
    (system, send)
}

/// Tells it to stop and waits until it has.
async fn stops(worker: &mut Service) {
    worker.signal(Signal::TERM);
    let end = worker.until_ended(LONG).await.unwrap_or_else(|late| {
        let log = std::fs::read_to_string(worker.log()).unwrap_or_default();
        let last = log.lines().rev().take(8).collect::<Vec<_>>().join("\n");
        panic!("{late}; its last words, newest first:\n{last}")
    });
    assert!(end.ends_with(" 0"), "it ended with {end}");
}

#[tokio::test]
async fn a_worker_stops_while_flasherp_is_slower_than_it_waits() {
    let (mut system, send) = at_work().await;
    system.sandbox.add_fault(&Fault::new(FaultAction::Delay { before_ms: 30_000, after_ms: 0 })).await;
    stops(&mut system.worker).await;
    system.sandbox.clear_faults().await;
    system.worker.restart().await.expect("the worker starts again");
    system.ends_with_every_payment_once(send).await;
}

#[tokio::test]
async fn a_worker_stops_while_the_broker_is_frozen() {
    let (mut system, send) = at_work().await;
    let broker = system.broker.nats.process().expect("it runs");
    broker.signal(Signal::STOP);
    stops(&mut system.worker).await;
    broker.signal(Signal::CONT);
    system.worker.restart().await.expect("the worker starts again");
    system.ends_with_every_payment_once(send).await;
}

#[tokio::test]
async fn a_worker_stops_while_the_database_is_away() {
    let (mut system, send) = at_work().await;
    system.database.postgres.kill().await.expect("killed");
    stops(&mut system.worker).await;
    system.database.postgres.restart().await.expect("the database starts again");
    system.worker.restart().await.expect("the worker starts again");
    system.ends_with_every_payment_once(send).await;
}

#[tokio::test]
async fn a_worker_stops_while_the_database_is_frozen() {
    let (mut system, send) = at_work().await;
    let first = system.database.postgres.process().expect("it runs");
    let processes: Vec<_> = std::iter::once(first).chain(first.children()).collect();
    for process in &processes {
        process.signal(Signal::STOP);
    }
    stops(&mut system.worker).await;
    for process in &processes {
        process.signal(Signal::CONT);
    }
    system.worker.restart().await.expect("the worker starts again");
    system.ends_with_every_payment_once(send).await;
}
