//! What was sent is claimed if it was accepted, whatever else became of it.

use std::io::Write as _;

use testkit::Scratch;
use testkit::history::{History, SentEvent, What, claims, read};

fn payment(event: &SentEvent) -> Option<(String, String)> {
    (event.kind == "payment_intent.succeeded").then(|| (event.object.clone(), event.value.clone()))
}

fn event(number: u32) -> SentEvent {
    SentEvent {
        id: format!("evt_{number}"),
        kind: "payment_intent.succeeded".to_owned(),
        object: format!("pi_{number}"),
        value: "1099 usd".to_owned(),
        created: 1_700_000_000,
    }
}

/// A customer's name at that time.
fn renamed(id: &str, name: &str, created: i64) -> SentEvent {
    let (id, object, value) = (id.to_owned(), "cus_1".to_owned(), name.to_owned());
    SentEvent { id, kind: "customer.updated".to_owned(), object, value, created }
}

fn by_object(event: &SentEvent) -> Option<(String, String)> {
    Some((event.object.clone(), event.value.clone()))
}

#[test]
fn a_try_answered_2xx_is_accepted_and_others_are_not() {
    let scratch = Scratch::new().expect("a folder");
    let history = History::create(&scratch.join("history.jsonl"));
    history.write(What::Run { seed: 7 });
    for (number, status) in [(1, 200), (2, 503)] {
        let attempt = history.sent(event(number));
        history.answered(attempt, status, (status == 200).then_some(false));
    }
    let attempt = history.sent(event(3));
    history.unanswered(attempt, "connection reset".to_owned());
    history.sent(event(4));
    // refused first, accepted later
    let attempt = history.sent(event(2));
    history.answered(attempt, 200, Some(false));

    assert_eq!((history.attempts(), history.accepted(), history.refused()), (5, 2, 2));
    let claims = claims(&history.entries(), payment);
    let accepted: Vec<_> = claims.iter().map(|claim| (claim.name.as_str(), claim.accepted, claim.attempts)).collect();
    assert_eq!(accepted, [("pi_1", true, 1), ("pi_2", true, 2), ("pi_3", false, 1), ("pi_4", false, 1)]);
    assert!(claims.iter().all(|claim| claim.values.iter().eq(["1099 usd"])));
}

#[test]
fn a_claim_knows_the_faults_that_were_on() {
    let scratch = Scratch::new().expect("a folder");
    let history = History::create(&scratch.join("history.jsonl"));
    let one = history.sent(event(1));
    history.write(What::FaultBegun { fault: "ingress killed".to_owned() });
    history.answered(one, 200, None);
    history.sent(event(2));
    history.write(What::FaultEnded { fault: "ingress killed".to_owned() });
    history.sent(event(3));
    let claims = claims(&history.entries(), payment);
    let during: Vec<usize> = claims.iter().map(|claim| claim.during.len()).collect();
    assert_eq!(during, [1, 1, 0]);
    history.write(What::FaultBegun { fault: "broker killed".to_owned() });
    let after: Vec<_> = testkit::history::claims(&history.entries(), payment)
        .into_iter()
        .map(|claim| claim.soon_after.join(", "))
        .collect();
    assert_eq!(after, ["broker killed"; 3]);
}

#[test]
fn the_newest_accepted_event_says_what_must_be_there_whatever_the_order() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let scratch = Scratch::new().expect("a folder");
        let history = History::create(&scratch.join("history.jsonl"));
        let events = [renamed("evt_1", "Ada", 10), renamed("evt_2", "Ada B", 20), renamed("evt_3", "Ada C", 15)];
        for index in order {
            let attempt = history.sent(events[index].clone());
            history.answered(attempt, 200, None);
        }
        let claims = claims(&history.entries(), by_object);
        let [claim] = claims.as_slice() else { panic!("{claims:?}") };
        assert!(claim.values.iter().eq(["Ada B"]), "{claim:?}");
        assert!(claim.older.iter().eq(["Ada", "Ada C"]), "{claim:?}");
    }
}

#[test]
fn a_newer_event_of_which_nobody_knows_whether_it_was_accepted_may_count_and_an_older_one_may_not() {
    let scratch = Scratch::new().expect("a folder");
    let history = History::create(&scratch.join("history.jsonl"));
    let accepted = history.sent(renamed("evt_2", "Ada B", 20));
    history.answered(accepted, 200, None);
    let lost = history.sent(renamed("evt_3", "Ada C", 30));
    history.unanswered(lost, "connection reset".to_owned());
    history.sent(renamed("evt_1", "Ada", 10));
    let claims = claims(&history.entries(), by_object);
    assert!(claims[0].values.iter().eq(["Ada B", "Ada C"]), "{claims:?}");
    assert!(claims[0].older.iter().eq(["Ada"]), "{claims:?}");
    assert!(claims[0].accepted);
}

#[test]
fn events_of_the_same_second_may_each_be_the_newest() {
    let scratch = Scratch::new().expect("a folder");
    let history = History::create(&scratch.join("history.jsonl"));
    for event in [renamed("evt_1", "Ada", 20), renamed("evt_2", "Ada B", 20)] {
        let attempt = history.sent(event);
        history.answered(attempt, 200, None);
    }
    let claims = claims(&history.entries(), by_object);
    assert!(claims[0].values.iter().eq(["Ada", "Ada B"]) && claims[0].older.is_empty(), "{claims:?}");
}

#[test]
fn events_without_a_name_claim_nothing_and_several_events_may_tell_of_one_thing() {
    let scratch = Scratch::new().expect("a folder");
    let history = History::create(&scratch.join("history.jsonl"));
    history.sent(event(1));
    history.sent(SentEvent { id: "evt_other".to_owned(), ..event(1) });
    history.sent(SentEvent { kind: "customer.created".to_owned(), ..event(2) });
    let claims = claims(&history.entries(), payment);
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0].events.len(), 2);
}

#[test]
fn a_line_that_was_cut_off_by_a_crash_is_left_out() {
    let scratch = Scratch::new().expect("a folder");
    let history = History::create(&scratch.join("history.jsonl"));
    history.sent(event(1));
    let mut file = std::fs::OpenOptions::new().append(true).open(history.path()).expect("the file");
    file.write_all(b"{\"at_ms\":5,\"what\":\"se").expect("written");
    assert_eq!(read(history.path()).len(), 1);
}
