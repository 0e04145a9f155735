//! Secrets leave the system nowhere, and personal data stay where they have to be.
//!
//! Canaries stand for every secret that there is and for a customer's name, e-mail and phone. Then everything goes wrong that can: bad settings,
//! bad bodies, bad tokens, bad signatures, a FlashERP and a Stripe that repeat what they were sent in every kind of answer, servers that are away;
//! all of it with every log line there is. At the end logs (PostgreSQL's and NATS' own among them), exported traces, metrics, every column of the
//! database, the broker's files and every answer are searched.

mod collector;
mod echo;
mod outside;
mod refused;
mod search;
mod stage;
mod upside;

use search::{Found, Kind};
use stage::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_canary_is_found_where_it_does_not_belong() {
    let mut stage = Stage::new().await;
    refused::settings(&mut stage);
    upside::configuration(&mut stage).await;
    upside::tokens(&mut stage).await;
    outside::webhooks(&mut stage).await;
    outside::answers(&mut stage).await;
    outside::away(&mut stage).await;
    upside::everything_read(&mut stage).await;

    let (places, canaries) = stage.end().await;
    let logged: usize =
        places.iter().filter(|place| place.name.starts_with("log of ")).map(|place| place.text.len()).sum();
    assert!(logged > 1 << 20, "only {logged} bytes were logged: was it at TRACE?");
    for (place, at_least) in [
        ("column", 50),
        ("answer", 100),
        ("metrics", 6),
        ("broker", 1),
        ("trace", 6),
        ("log of ", 6),
        ("server's log", 2),
    ] {
        let count = places.iter().filter(|found| found.name.starts_with(place)).count();
        assert!(count >= at_least, "{count} {place}s were searched");
    }
    let traces: Vec<_> = places.iter().filter(|place| place.name == "trace").collect();
    for service in ["gateway", "config-api", "sync-worker", "scheduler", "ingress", "reconciler"] {
        assert!(traces.iter().any(|trace| trace.text.contains(service)), "{service} has exported no trace");
    }
    let found = search::all(&places, &canaries);
    let told = found.iter().map(Found::to_string).collect::<Vec<_>>().join("\n");
    assert!(found.is_empty(), "{} canaries were found:\n{told}", found.len());
    let carried = |kind: Kind| {
        places
            .iter()
            .any(|place| canaries.iter().any(|canary| canary.kind == kind && place.text.contains(&canary.value)))
    };
    assert!(carried(Kind::Personal), "the customer came into the database");
    assert!(search::all(&[search::Place::probe(&canaries[0])], &canaries).len() == 1, "what is there is found");
}
