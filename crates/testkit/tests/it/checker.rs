//! The checker finds what is planted, all of it, by name.

use testkit::checker::{Claim, Finding, Held, check};

fn claim(number: u32) -> Claim {
    let mut claim = Claim::new(format!("pi_{number}"), format!("{number} usd"));
    claim.accepted = true;
    claim.attempts = 1;
    claim.events.insert(format!("evt_{number}"));
    claim
}

fn held(number: u32) -> Held {
    Held { name: format!("pi_{number}"), id: format!("txn_{number}"), value: format!("{number} usd") }
}

fn ten() -> (Vec<Claim>, Vec<Held>) {
    ((0..10).map(claim).collect(), (0..10).map(held).collect())
}

#[test]
fn a_place_that_holds_everything_once_is_good() {
    let (claims, records) = ten();
    let verdict = check("FlashERP", &claims, &records);
    assert!(verdict.is_good());
    assert_eq!((verdict.accepted, verdict.held, verdict.recovered.len()), (10, 10, 0));
}

#[test]
fn planted_losses_are_found_and_named_with_the_faults_that_were_on() {
    let (mut claims, mut records) = ten();
    for claim in &mut claims {
        claim.during.insert("broker killed".to_owned());
    }
    records.retain(|record| !["pi_3", "pi_7"].contains(&record.name.as_str()));
    let verdict = check("FlashERP", &claims, &records);
    assert_eq!(verdict.findings, [Finding::Lost(claims[3].clone()), Finding::Lost(claims[7].clone())]);
    let text = verdict.to_string();
    assert!(text.starts_with("FlashERP: 10 accepted, 8 there; 2 lost, 0 duplicated"), "{text}");
    assert!(text.contains("lost: pi_3 `3 usd`, accepted in 1 tries, told by evt_3, during: broker killed"), "{text}");
}

#[test]
fn planted_doubles_are_found_with_every_record() {
    let (claims, mut records) = ten();
    records.push(Held { id: "txn_again".to_owned(), ..held(4) });
    records.push(Held { id: "txn_and_again".to_owned(), ..held(4) });
    let verdict = check("FlashERP", &claims, &records);
    let ids = ["txn_4", "txn_again", "txn_and_again"].map(str::to_owned).to_vec();
    assert_eq!(
        verdict.findings,
        [Finding::Duplicated { name: "pi_4".to_owned(), ids, claim: Some(claims[4].clone()) }]
    );
}

#[test]
fn planted_records_that_nobody_sent_are_found_also_when_they_are_doubled() {
    let (claims, mut records) = ten();
    records.push(held(99));
    records.push(Held { id: "txn_again".to_owned(), ..held(99) });
    let verdict = check("upcoach", &claims, &records);
    assert_eq!(verdict.count(|finding| matches!(finding, Finding::Unexpected(_))), 2);
    assert_eq!(verdict.count(|finding| matches!(finding, Finding::Duplicated { name, .. } if name == "pi_99")), 1);
    assert_eq!(verdict.findings.len(), 3);
}

#[test]
fn a_planted_other_value_is_found() {
    let (claims, mut records) = ten();
    records[5].value = "50 usd".to_owned();
    let verdict = check("FlashERP", &claims, &records);
    assert_eq!(
        verdict.findings,
        [Finding::Different { claim: claims[5].clone(), held: records[5].clone() }],
        "{verdict}"
    );
}

#[test]
fn what_was_never_accepted_may_be_there_or_not_but_not_twice() {
    let (mut claims, mut records) = ten();
    for claim in &mut claims[..3] {
        claim.accepted = false;
    }
    records.remove(0);
    let verdict = check("upcoach", &claims, &records);
    assert!(verdict.is_good());
    assert_eq!(verdict.recovered, ["pi_1", "pi_2"]);
    records.push(Held { id: "txn_again".to_owned(), ..held(1) });
    let verdict = check("upcoach", &claims, &records);
    assert_eq!(verdict.findings.len(), 1, "{verdict}");
    assert!(verdict.to_string().contains("duplicated: pi_1 as txn_1, txn_again"), "{verdict}");
}

#[test]
fn each_loss_and_double_among_thousands_is_found() {
    let claims: Vec<Claim> = (0..10_000).map(claim).collect();
    for planted in [0, 1, 4_999, 9_999] {
        let mut records: Vec<Held> = (0..10_000).map(held).collect();
        let taken = records.swap_remove(planted);
        let verdict = check("FlashERP", &claims, &records);
        assert_eq!(verdict.findings, [Finding::Lost(claims[planted].clone())]);
        records.extend([taken.clone(), taken]);
        assert_eq!(check("FlashERP", &claims, &records).findings.len(), 1);
    }
}
