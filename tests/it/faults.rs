//! Events come while every part of the system fails: each accepted one is everywhere in the end, once. Small here, full by `./justw soak`.

use std::time::Duration;

use testkit::faults::{Between, Fault, FlashErpFault, LinkFault, Process};

use crate::storm::{Size, run};

/// A fault of every kind, in about a minute.
fn small() -> Size {
    Size {
        events: 600,
        per_second: 100,
        faults: vec![
            Fault::Killed(Process::Ingress),
            Fault::Killed(Process::Worker),
            Fault::Killed(Process::Database),
            Fault::Frozen(Process::SecondWorker),
            Fault::Restarted(Process::Worker),
            Fault::BrokerStorageDeleted,
            Fault::Link(Between::WorkerAndFlashErp, LinkFault::Dropped),
            Fault::Link(Between::WorkerAndFlashErp, LinkFault::DeafClient),
            Fault::Link(Between::WorkerAndDatabase, LinkFault::Reset),
            Fault::Link(Between::IngressAndDatabase, LinkFault::CutToClient),
            Fault::Link(Between::WorkerAndBroker, LinkFault::Held),
            Fault::FlashErp(FlashErpFault::CutsAfterWrite),
            Fault::FlashErp(FlashErpFault::LateWrites),
            Fault::FlashErp(FlashErpFault::HtmlErrors),
            Fault::FlashErp(FlashErpFault::RateLimitUntilDate),
            Fault::FlashErp(FlashErpFault::Outage),
        ],
        longest_step: Duration::from_millis(1_500),
        patience: Duration::from_secs(240),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_hundred_events_under_faults_are_everywhere_once() {
    let size = small();
    let matrix = run(1, &size).await;
    assert!(size.faults.iter().all(|fault| matrix.faults().any(|came| came == *fault)), "{matrix}");
}

/// Every fault, by `./justw soak [--seed N] [--events N]`, which sets SOAK_SEED and SOAK_EVENTS.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes long: ./justw soak"]
async fn soak() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let seed = number("SOAK_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let events = number("SOAK_EVENTS").map_or(20_000, |events| u32::try_from(events).expect("not that many events"));
    let size = Size {
        events,
        per_second: 200,
        faults: Fault::all(),
        longest_step: Duration::from_secs(10),
        patience: Duration::from_secs(900),
    };
    // To people: with this seed it can be had again.
    eprintln!("soak: seed {seed}, {events} events, {} faults", size.faults.len());
    let matrix = run(seed, &size).await;
    eprintln!("soak: seed {seed}: nothing lost, doubled, unexpected or different\n\n{matrix}");
}
