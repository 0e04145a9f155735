//! Each user can do what its service does, and nothing else.

use std::collections::BTreeMap;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event as ClientEvent, ServerError};
use events::traffic::{Durable, Party, Stream, TRAFFIC, Way};
use events::{CATALOG, Nature};
use futures::stream::select_all;
use futures::{FutureExt as _, StreamExt as _};
use local_stack::binaries::Binaries;
use local_stack::{Nats, NatsOptions, Scratch};
use messaging::topology::{inbox_prefix, server_config};
use testkit::PrivateBroker;
use tokio::sync::mpsc;
use url::Url;

use crate::support::{SOON, connected, round_trip};

/// Logs in as a user of the topology.
async fn user(broker: &PrivateBroker, name: &str) -> User {
    let url: Url = broker.url_for(name).parse().expect("a URL");
    let password = url.password().expect("a password").to_owned();
    let (sender, refusals) = mpsc::unbounded_channel();
    let client = ConnectOptions::with_user_and_password(name.to_owned(), password)
        .custom_inbox_prefix(inbox_prefix(name))
        .event_callback(move |event| {
            if let ClientEvent::ServerError(ServerError::Other(text)) = event {
                // The test may be over.
                let _unheard = sender.send(text);
            }
            std::future::ready(())
        })
        .connect(address(&broker.nats))
        .await
        .expect("logged in");
    User { client, refusals }
}

fn address(nats: &Nats) -> String {
    format!("nats://127.0.0.1:{}", nats.port())
}

struct User {
    client: Client,
    refusals: mpsc::UnboundedReceiver<String>,
}

impl User {
    async fn publish(&self, subject: &str) {
        self.client.publish(subject.to_owned(), "{}".into()).await.expect("sent");
        self.client.flush().await.expect("flushed");
    }

    /// The next refusal names the subject.
    async fn refused(&mut self, subject: &str) {
        let refusal = tokio::time::timeout(SOON, self.refusals.recv()).await;
        let refusal = refusal.unwrap_or_else(|_| panic!("{subject} was not refused")).expect("connected");
        assert!(refusal.to_lowercase().contains("permissions violation") && refusal.contains(subject), "{refusal}");
    }
}

/// A subject that a pattern of the catalog matches.
fn subject_of(pattern: &str) -> String {
    pattern.replace('*', "stripe")
}

#[tokio::test]
async fn each_user_may_publish_what_its_service_says_and_no_other_event() {
    let guarded = PrivateBroker::start().await;
    let admin = user(&guarded, "admin").await;
    let mut subscribers = Vec::new();
    for subjects in Stream::ALL.map(Stream::subjects).concat() {
        subscribers.push(admin.client.subscribe(subjects).await.expect("subscribed"));
    }
    let mut everything = select_all(subscribers);
    round_trip(&admin.client).await;
    for party in Party::ALL {
        let mut user = user(&guarded, party.name()).await;
        for info in CATALOG {
            let subject = subject_of(info.subjects);
            user.publish(&subject).await;
            let says = TRAFFIC
                .iter()
                .any(|flow| flow.party == party && flow.way == Way::Publishes && flow.event.info().kind == info.kind);
            if says {
                let message = tokio::time::timeout(SOON, everything.next()).await.expect("in time").expect("connected");
                assert_eq!(message.subject.as_str(), subject, "{}", party.name());
            } else {
                user.refused(&subject).await;
            }
        }
        round_trip(&admin.client).await;
        assert!(everything.next().now_or_never().is_none(), "{} published more", party.name());
        assert!(user.refusals.try_recv().is_err(), "{} was refused what it says", party.name());
    }
}

#[tokio::test]
async fn nobody_may_listen_past_its_inbox_or_touch_what_is_not_its_own() {
    let guarded = PrivateBroker::start().await;
    connected(&guarded.url_for("admin"), "", Party::Erpctl).await.topology().ensure_all().await.expect("made");
    for party in Party::ALL {
        let mut user = user(&guarded, party.name()).await;
        for subject in [">", "sync.>", "_INBOX_admin.>", "_INBOX.>", "$JS.API.>"] {
            let _subscription = user.client.subscribe(subject).await.expect("sent");
            user.client.flush().await.expect("flushed");
            user.refused(subject).await;
        }
        let mut forbidden = vec![
            "$SYS.REQ.SERVER.PING".to_owned(),
            "$JS.API.STREAM.DELETE.SYNC".to_owned(),
            "$JS.API.STREAM.PURGE.CONTROL".to_owned(),
            "$JS.API.STREAM.MSG.GET.SYNC".to_owned(),
            "$JS.API.CONSUMER.DELETE.CONTROL.reconciler".to_owned(),
            "$JS.API.CONSUMER.NAMES.CONTROL".to_owned(),
        ];
        for durable in Durable::ALL.into_iter().filter(|durable| durable.party() != party) {
            let (stream, name) = (durable.stream().name(), durable.name());
            forbidden.push(format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}"));
            forbidden.push(format!("$JS.ACK.{stream}.{name}.1.1.1.1.0"));
            if party != Party::Erpctl {
                forbidden.push(format!("$JS.API.CONSUMER.CREATE.{stream}.{name}"));
                forbidden.push(format!("$JS.API.CONSUMER.CREATE.{stream}.{name}.config.changed"));
            }
        }
        for subject in forbidden {
            user.publish(&subject).await;
            user.refused(&subject).await;
        }
    }
}

#[tokio::test]
async fn every_service_can_do_its_work_as_its_own_user() {
    let mut guarded = PrivateBroker::start().await;
    for party in Party::ALL {
        let broker = connected(&guarded.url_for(party.name()), "", party).await;
        for flow in TRAFFIC.iter().filter(|flow| flow.party == party) {
            match flow.way {
                Way::Publishes if flow.event.nature() == Nature::Fact => {
                    let stream = Stream::of_subject(flow.event.subjects()).expect("a stream");
                    broker.topology().ensure_stream(stream).await.expect("made as its user");
                    let subject = subject_of(flow.event.subjects());
                    let ack = broker.jetstream().publish(subject, "{}".into()).await.expect("published");
                    ack.await.expect("stored as its user");
                }
                Way::ConsumesOnce(durable) => {
                    let consumer = broker.topology().ensure_durable(durable).await.expect("made as its user");
                    let admin = user(&guarded, "admin").await;
                    let subject = subject_of(flow.event.subjects());
                    let jetstream = async_nats::jetstream::new(admin.client.clone());
                    jetstream.publish(subject, "{}".into()).await.expect("published").await.expect("stored");
                    let mut messages = consumer.messages().await.expect("asked");
                    let message = tokio::time::timeout(SOON, messages.next()).await.expect("in time");
                    let message = message.expect("goes on").expect("a message");
                    message.double_ack().await.expect("acked as its user");
                }
                Way::Publishes | Way::ConsumesAll => {}
            }
        }
        if party == Party::Erpctl {
            broker.topology().ensure_all().await.expect("deployed as its user");
        }
    }
    guarded.nats.stop().await.expect("stopped");
}

#[tokio::test]
async fn every_service_hears_its_facts_as_its_own_user() {
    use events::{AnyEvent, Event, EventType as _};
    use messaging::{Heard, fanout};

    let guarded = PrivateBroker::start().await;
    let admin = connected(&guarded.url_for("admin"), "", Party::ConfigApi).await;
    for party in Party::ALL.into_iter().filter(|party| *party != Party::Erpctl) {
        let broker = connected(&guarded.url_for(party.name()), "", party).await;
        let (sender, mut heard) = mpsc::unbounded_channel();
        let stop = tokio_util::sync::CancellationToken::new();
        let on_heard = move |event: Heard<AnyEvent>| {
            // The test may be over.
            let _unheard = sender.send(event);
        };
        let listening = tokio::spawn(fanout::run(broker, on_heard, stop.clone()));
        let gap = tokio::time::timeout(SOON, heard.recv()).await.unwrap_or_else(|_| panic!("{} hears", party.name()));
        assert!(matches!(gap, Some(Heard::Gap)));
        let fact = Event::now(Party::ConfigApi, events::ConfigChanged::examples().remove(0));
        crate::support::publish_stored(&admin, "config.changed", fact.to_json()).await;
        let event = tokio::time::timeout(SOON, heard.recv()).await.expect("in time");
        assert!(matches!(event, Some(Heard::Event(received)) if received.message == AnyEvent::from(fact)));
        stop.cancel();
        listening.await.expect("it ends");
    }
}

#[tokio::test]
async fn whoever_has_no_user_or_the_wrong_password_is_not_let_in() {
    let guarded = PrivateBroker::start().await;
    for options in [
        ConnectOptions::new(),
        ConnectOptions::with_user_and_password("ingress".to_owned(), "wrong".to_owned()),
        ConnectOptions::with_user_and_password("nobody".to_owned(), "wrong".to_owned()),
    ] {
        let error = options.connect(address(&guarded.nats)).await.expect_err("not let in");
        assert_eq!(error.kind(), ConnectErrorKind::AuthorizationViolation);
    }
}

#[tokio::test]
async fn a_password_of_any_characters_stays_a_password() {
    const PASSWORD: &str = "p\"w\\ $x #1 } ü";
    let scratch = Scratch::new().expect("a folder");
    let passwords = BTreeMap::from([("ingress".to_owned(), PASSWORD.to_owned())]);
    let options = NatsOptions {
        dir: scratch.join("nats"),
        log: scratch.join("nats.log"),
        port: None,
        monitor_port: None,
        users: server_config(&passwords),
    };
    let nats = Nats::start(&Binaries::find().expect("binaries"), options).await.expect("started");
    // As the address of a service has it: percent-encoded.
    let url = format!("nats://ingress:p%22w%5C%20%24x%20%231%20%7D%20%C3%BC@127.0.0.1:{}", nats.port());
    assert!(connected(&url, "", Party::Ingress).await.is_connected());
}
