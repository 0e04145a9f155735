//! A process dies at each point where a death hurts, is started again, and every payment arrives once.

use testkit::Service;
use testkit::ServiceOptions;

use crate::system::{LONG, Plan, System};

const STORIES: u32 = 60;
const PER_SECOND: u32 = 100;

/// Starts a system in which `service` dies when it comes to `point` for the second time, waits for that death, starts the service without
/// the order, and holds that every payment arrives once.
async fn dies_at(service: &str, point: &str) {
    let plan = Plan::new().await;
    let mut system = plan.start().await;
    let (place, healthy) = part(&mut system, service);
    let fatal = healthy.clone().env("ERP_FAILPOINT", format!("{point}:2"));
    place.stop().await.expect("it stops");
    *place = Service::start(fatal).await.unwrap_or_else(|error| {
        panic!("{service} does not start with a failpoint: are the programs built with them, as `./justw test` does? {error}")
    });
    place.until_ready(LONG).await.expect("ready");
    let send = system.send(STORIES, PER_SECOND).await;
    let (place, _) = part(&mut system, service);
    let end = place.until_ended(LONG).await.unwrap_or_else(|error| panic!("{service} never came to {point}: {error}"));
    assert!(end.contains("signal: 6"), "{service} ended otherwise than at {point}: {end}");
    let log = std::fs::read_to_string(place.log()).expect("its log");
    assert!(log.contains(&format!("failpoint {point}: the process dies here")), "{log}");
    *place = Service::start(healthy).await.expect("it starts again");
    system.ends_with_every_payment_once(send).await;
}

/// The service and how it is started in health.
fn part<'a>(system: &'a mut System, service: &str) -> (&'a mut Service, ServiceOptions) {
    match service {
        "ingress" => (&mut system.ingress, system.ingress_options.clone()),
        "sync-worker" => (&mut system.worker, system.worker_options.clone()),
        other => panic!("{other} has no failpoints"),
    }
}

macro_rules! dies_at {
    ($($test:ident: $service:literal at $point:literal;)*) => {
        $(#[tokio::test]
        async fn $test() {
            dies_at($service, $point).await;
        })*
    };
}

dies_at! {
    ingress_before_it_commits: "ingress" at "ingress.before_commit";
    ingress_after_its_commit_before_it_answers: "ingress" at "ingress.after_commit";
    inbound_before_it_commits: "sync-worker" at "inbound.before_commit";
    inbound_after_its_commit_before_its_hints: "sync-worker" at "inbound.after_commit";
    outbound_after_a_claims_commit: "sync-worker" at "outbound.after_claim";
    outbound_before_it_sends: "sync-worker" at "outbound.before_send";
    outbound_after_it_sent_before_it_finishes: "sync-worker" at "outbound.after_send";
    outbound_in_finish_before_the_commit: "sync-worker" at "outbound.finish_before_commit";
    outbound_in_finish_after_the_commit: "sync-worker" at "outbound.finish_after_commit";
}
