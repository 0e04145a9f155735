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
    }
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
    history.write(What::Unanswered { attempt, error: "connection reset".to_owned() });
    history.sent(event(4));
    // refused first, accepted later
    let attempt = history.sent(event(2));
    history.answered(attempt, 200, Some(false));

    assert_eq!((history.attempts(), history.accepted()), (5, 2));
    let claims = claims(&history.entries(), payment);
    let accepted: Vec<_> = claims.iter().map(|claim| (claim.name.as_str(), claim.accepted, claim.attempts)).collect();
    assert_eq!(accepted, [("pi_1", true, 1), ("pi_2", true, 2), ("pi_3", false, 1), ("pi_4", false, 1)]);
    assert!(claims.iter().all(|claim| claim.value == "1099 usd"));
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
