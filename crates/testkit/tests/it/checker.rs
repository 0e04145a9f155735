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
fn a_planted_value_of_before_is_found_and_told_from_one_that_nobody_sent() {
    let (mut claims, mut records) = ten();
    claims[5].older.insert("4 usd".to_owned());
    records[5].value = "4 usd".to_owned();
    records[6].value = "60 usd".to_owned();
    let verdict = check("FlashERP", &claims, &records);
    assert_eq!(
        verdict.findings,
        [
            Finding::Stale { claim: claims[5].clone(), held: records[5].clone() },
            Finding::Different { claim: claims[6].clone(), held: records[6].clone() },
        ],
        "{verdict}"
    );
    assert!(verdict.to_string().contains("stale: txn_5 holds `4 usd`; pi_5 `5 usd`, accepted"), "{verdict}");
}

#[test]
fn a_double_that_is_also_stale_is_found_as_both() {
    let (mut claims, mut records) = ten();
    claims[5].older.insert("4 usd".to_owned());
    records.push(Held { id: "txn_again".to_owned(), value: "4 usd".to_owned(), ..held(5) });
    let verdict = check("FlashERP", &claims, &records);
    assert_eq!(verdict.count(|finding| matches!(finding, Finding::Duplicated { .. })), 1, "{verdict}");
    assert_eq!(verdict.count(|finding| matches!(finding, Finding::Stale { .. })), 1, "{verdict}");
}

#[test]
fn a_record_under_another_name_is_a_loss_and_unexpected() {
    let (claims, mut records) = ten();
    records[2].name = "pi_2_of_somebody_else".to_owned();
    let verdict = check("FlashERP", &claims, &records);
    assert_eq!(verdict.findings, [Finding::Lost(claims[2].clone()), Finding::Unexpected(records[2].clone())]);
}

#[test]
fn any_of_several_values_may_be_there() {
    let (mut claims, mut records) = ten();
    claims[5].values.insert("6 usd".to_owned());
    assert!(check("FlashERP", &claims, &records).is_good());
    records[5].value = "6 usd".to_owned();
    assert!(check("FlashERP", &claims, &records).is_good());
    records[5].value = "7 usd".to_owned();
    assert!(!check("FlashERP", &claims, &records).is_good());
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
