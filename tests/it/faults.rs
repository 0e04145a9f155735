//! Events of Stripe's and FlashERP's come while every part of the system fails: each accepted one is everywhere in the end, once, in its newest
//! state. Small here, full by `./justw soak`.

use std::time::Duration;

use testkit::faults::{Between, Fault, FlashErpFault, LinkFault, Point, Process};

use crate::power_cut;
use crate::storm::{Size, run};

/// A fault of every kind, in about three minutes.
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
            Fault::Dies(Point { process: Process::Worker, name: "outbound.after_send" }),
            Fault::BrokerStorageDeleted,
            Fault::Link(Between::WorkersAndFlashErp, LinkFault::Dropped),
            Fault::Link(Between::WorkersAndFlashErp, LinkFault::DeafClient),
            Fault::Link(Between::WorkerAndDatabase, LinkFault::Reset),
            Fault::Link(Between::IngressAndDatabase, LinkFault::CutToClient),
            Fault::Link(Between::SecondWorkerAndBroker, LinkFault::Held),
            Fault::Link(Between::FlashErpAndGateway, LinkFault::DeafClient),
            Fault::Killed(Process::Gateway),
            Fault::Link(Between::GatewayAndIngress, LinkFault::Dropped),
            Fault::Frozen(Process::Scheduler),
            Fault::Dies(Point { process: Process::Scheduler, name: "pull.stored" }),
            Fault::Link(Between::SchedulerAndDatabase, LinkFault::CutToClient),
            Fault::Link(Between::SchedulerAndStripe, LinkFault::CutToClient),
            Fault::Frozen(Process::Reconciler),
            Fault::Dies(Point { process: Process::Reconciler, name: "reconciler.page_stored" }),
            Fault::Link(Between::ReconcilerAndDatabase, LinkFault::Reset),
            Fault::Link(Between::ReconcilerAndFlashErp, LinkFault::DeafClient),
            Fault::StripeApiUnavailable,
            Fault::FlashErp(FlashErpFault::CutsAfterWrite),
            Fault::FlashErp(FlashErpFault::LateWrites),
            Fault::FlashErp(FlashErpFault::HtmlErrors),
            Fault::FlashErp(FlashErpFault::RateLimitUntilDate),
            Fault::FlashErp(FlashErpFault::Outage),
            Fault::FlashErp(FlashErpFault::WebhooksOutOfOrder),
        ],
        keys: true,
        longest_step: LONGEST_STEP,
        again: "./justw test-one six_hundred_events_under_faults".to_owned(),
        patience: Duration::from_secs(240),
    }
}

/// Longer than a worker's leases, which are 8 s here, and the second until somebody sees that one is over; a quarter of it is longer than it
/// waits for FlashERP, 1 s.
const LONGEST_STEP: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_hundred_events_under_faults_are_everywhere_once() {
    // A seed whose schedule has leases run out under a frozen worker, scheduler and reconciler and while the database is away, and many faults at
    // the same time.
    run(2817, &small(), None).await;
}

/// Every fault, or those with a text in their name, by `./justw soak`, which turns its arguments into SOAK_SEED, SOAK_EVENTS, SOAK_FAULT and
/// SOAK_WITHOUT_KEYS.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes long: ./justw soak"]
async fn soak() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let seed = number("SOAK_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let events = number("SOAK_EVENTS").map_or(20_000, |events| u32::try_from(events).expect("not that many events"));
    let text = std::env::var("SOAK_FAULT").unwrap_or_default();
    let keys = std::env::var_os("SOAK_WITHOUT_KEYS").is_none();
    let is_meant = |fault: &Fault| fault.to_string().contains(&text) && (keys || !makes_writes_late(*fault));
    let only = if text.is_empty() { String::new() } else { format!(" --fault '{text}'") };
    let again = format!("./justw soak --seed {seed} --events {events}{only}");
    let size = Size {
        events,
        per_second: 200,
        faults: Fault::all().into_iter().filter(is_meant).collect(),
        keys,
        longest_step: LONGEST_STEP,
        again: format!("{again}{}", if keys { "" } else { " --without-keys" }),
        patience: Duration::from_secs(900),
    };
    // To people: with this seed it can be had again.
    eprintln!("soak: seed {seed}, {events} events, {} faults", size.faults.len());
    if !size.faults.is_empty() {
        let matrix = run(seed, &size, None).await;
        eprintln!("soak: seed {seed}: nothing lost, doubled, unexpected, stale or different\n\n{matrix}");
    }
    if is_meant(&Fault::PowerCut) {
        power_cut::soak(seed, events);
    }
}

/// What lets a write arrive after the settle time is over: without keys that doubles it, and nothing of ours can keep it from happening
/// (FlashERP promises that a write takes effect within its settle time or never).
fn makes_writes_late(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::Frozen(Process::Worker | Process::SecondWorker)
            | Fault::Link(Between::WorkersAndFlashErp, LinkFault::Held | LinkFault::Delayed | LinkFault::Slow)
    )
}
