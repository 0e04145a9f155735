//! Each way in which a suspect can turn out.

use domain::mapping::Leftover;
use domain::upcoach::{Transaction, TransactionStatus, TransactionType};
use domain::{TransactionId, UserId};
use rstest::rstest;
use time::Duration;
use time::macros::datetime;

use super::*;

const FROM: OffsetDateTime = datetime!(2026-11-01 00:00 UTC);
const TO: OffsetDateTime = datetime!(2026-12-01 00:00 UTC);
const CUTOFF: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);
const BOUNDS: Bounds = Bounds { from: FROM, to: TO, cutoff: CUTOFF };

fn id() -> Uuid {
    Uuid::from_u128(7)
}

fn flasherp(id: &str) -> FlashErpId {
    FlashErpId::new(id.to_owned()).expect("an id")
}

fn payment(units: i64) -> Transaction {
    Transaction {
        id: TransactionId(id()),
        user_id: UserId(Uuid::from_u128(1)),
        subscription_id: None,
        stripe_transaction_id: None,
        kind: TransactionType::Payment,
        status: TransactionStatus::Completed,
        amount: units,
        currency: "eur".to_owned(),
        payment_method: None,
        description: None,
        stripe_invoice_id: None,
        stripe_charge_id: None,
        stripe_refund_id: None,
        failure_reason: None,
        refunded_amount: None,
        fee: None,
        net: None,
        created_at: datetime!(2026-11-10 00:00 UTC),
        updated_at: datetime!(2026-11-10 00:00 UTC),
    }
}

fn record(target: &str, amount: &str, currency: &str) -> Record {
    Record::parse(&format!(
        r#"{{"id":"{target}","createdAt":"2026-11-10T00:00:01Z","updatedAt":"2026-11-10T00:00:01Z","customerId":"fcu_1",
            "amount":{amount},"currency":"{currency}","status":"completed","type":"payment","upcoachReference":"{}"}}"#,
        id()
    ))
    .expect("a record")
}

fn synced(target: &str) -> Sync {
    Sync {
        id: SyncId(Uuid::from_u128(9)),
        target: Some(flasherp(target)),
        status: SyncStatus::Synced,
        outcome: Outcome::Known,
        is_asked: false,
        base: Base::default(),
    }
}

/// A payment of 10.99 that both sides have.
fn case() -> Case {
    Case {
        kind: EntityType::Transaction,
        suspicion: Suspicion::Pair,
        source: Some(id()),
        ours: Some(Ok(SourceRecord::Transaction(payment(1099)))),
        sync: Some(synced("t1")),
        is_requested: false,
        customer: Some(flasherp("fcu_1")),
        theirs: Some(record("t1", "10.99", "EUR")),
        other_is_there: false,
    }
}

fn judged(change: impl FnOnce(&mut Case)) -> Verdict {
    let mut case = case();
    change(&mut case);
    judge(&case, &BOUNDS)
}

/// The class of the only finding, and what it differs by.
fn only(verdict: &Verdict) -> (FindingClass, Vec<(&'static str, i128)>) {
    assert_eq!(verdict.findings.len(), 1, "{verdict:?}");
    let finding = &verdict.findings[0];
    assert_eq!(verdict.what, What::Differs(finding.class));
    (finding.class, finding.difference.iter().map(|(currency, minor)| (*currency, *minor)).collect())
}

#[test]
fn what_is_alike_on_a_second_look_is_matched() {
    let verdict = judged(|_| {});
    assert_eq!((verdict.what, verdict.findings.len()), (What::Matched, 0));
    assert_eq!((verdict.ours.money, verdict.theirs.money), (verdict.theirs.money, verdict.ours.money));
    // While the customer is not known to be in FlashERP, nothing is said of it.
    assert_eq!(judged(|case| case.customer = None).what, What::Matched);
    let sent = Fields::from([(Field::CustomerId, domain::mapping::FieldValue::text("fcu_1"))]);
    let base = Base::default().after_write(&sent, None);
    let unknown = judged(|case| (case.customer, case.sync) = (None, Some(Sync { base, ..synced("t1") })));
    assert_eq!((unknown.what, unknown.findings.len()), (What::Matched, 0), "although it was sent once");
}

#[test]
fn each_field_that_differs_is_a_finding_and_the_money_is_counted_once() {
    let verdict = judged(|case| case.theirs = Some(record("t1", "10.00", "USD")));
    let fields: Vec<_> = verdict.findings.iter().map(|finding| finding.field.expect("a field")).collect();
    assert_eq!(fields, [Field::Amount, Field::Currency]);
    assert_eq!(verdict.findings[0].difference, BTreeMap::from([("EUR", 1099), ("USD", -1000)]));
    assert_eq!(verdict.findings[1].difference, BTreeMap::new());
    let shown = |nth: usize| (verdict.findings[nth].ours.as_deref(), verdict.findings[nth].theirs.as_deref());
    assert_eq!((shown(0), shown(1)), ((Some("10.99"), Some("10.00")), (Some("\"EUR\""), Some("\"USD\""))));
}

#[rstest]
#[case(SyncStatus::Pending, Outcome::Known, FindingClass::PendingSync)]
#[case(SyncStatus::Syncing, Outcome::Known, FindingClass::PendingSync)]
#[case(SyncStatus::Failed, Outcome::Known, FindingClass::FailedSync)]
#[case(SyncStatus::Skipped, Outcome::Known, FindingClass::SkippedSync)]
#[case(SyncStatus::Failed, Outcome::Unknown, FindingClass::UnknownSync)]
fn what_a_sync_has_yet_to_do_is_of_its_class(
    #[case] status: SyncStatus,
    #[case] outcome: Outcome,
    #[case] class: FindingClass,
) {
    let missing = judged(|case| {
        (case.suspicion, case.theirs) = (Suspicion::Ours, None);
        case.sync = Some(Sync { target: None, status, outcome, ..synced("t1") });
    });
    assert_eq!(only(&missing), (class, vec![("EUR", 1099)]));
    let different = judged(|case| {
        case.theirs = Some(record("t1", "9.99", "EUR"));
        case.sync = Some(Sync { status, outcome, ..synced("t1") });
    });
    assert_eq!(only(&different), (class, vec![("EUR", 100)]));
    let alike = judged(|case| case.sync = Some(Sync { status, outcome, ..synced("t1") }));
    assert_eq!(alike.what, What::Matched, "what FlashERP holds as wanted is in step");
}

#[test]
fn what_was_never_asked_for_or_is_gone_there_is_missing() {
    let missing = |sync| judged(|case| (case.suspicion, case.theirs, case.sync) = (Suspicion::Ours, None, sync));
    assert_eq!(only(&missing(None)), (FindingClass::MissingInFlasherp, vec![("EUR", 1099)]));
    assert_eq!(only(&missing(Some(synced("t1")))).0, FindingClass::MissingInFlasherp);
    let asked = Sync { is_asked: true, ..synced("t1") };
    assert_eq!(only(&missing(Some(asked))).0, FindingClass::PendingSync);
    let requested = judged(|case| (case.theirs, case.sync, case.is_requested) = (None, None, true));
    assert_eq!(only(&requested).0, FindingClass::PendingSync);
}

#[test]
fn theirs_alone_is_missing_here_or_of_an_orphaned_sync() {
    let verdict = judged(|case| (case.suspicion, case.ours, case.sync) = (Suspicion::Theirs, None, None));
    assert_eq!(only(&verdict), (FindingClass::MissingInUpcoach, vec![("EUR", -1099)]));
    let orphan = judged(|case| (case.suspicion, case.ours) = (Suspicion::Orphan, None));
    assert_eq!(only(&orphan), (FindingClass::OrphanedSync, vec![("EUR", -1099)]));
    let empty = judged(|case| (case.suspicion, case.ours, case.theirs) = (Suspicion::Orphan, None, None));
    assert_eq!(only(&empty), (FindingClass::OrphanedSync, vec![]));
    assert_eq!(empty.findings[0].target, Some(flasherp("t1")));
    let gone =
        judged(|case| (case.suspicion, case.ours, case.theirs, case.sync) = (Suspicion::Theirs, None, None, None));
    assert_eq!(gone, Verdict::default());
}

#[test]
fn a_double_counts_on_their_side_alone() {
    let double = |target: &str| {
        judged(|case| (case.suspicion, case.theirs) = (Suspicion::Duplicate, Some(record(target, "10.99", "EUR"))))
    };
    let verdict = double("t2");
    assert_eq!(only(&verdict), (FindingClass::DuplicateInFlasherp, vec![("EUR", -1099)]));
    assert!(!verdict.ours.is_there && verdict.theirs.is_there);
    assert_eq!(double("t1").what, What::LeftOut, "it is the one that is kept by now");
    let vanished = judged(|case| (case.suspicion, case.theirs) = (Suspicion::Duplicate, None));
    assert_eq!(vanished, Verdict::default());
    // Its like stands outside of the window.
    let outside = judged(|case| {
        (case.theirs, case.other_is_there) = (Some(record("t2", "10.99", "EUR")), true);
    });
    assert_eq!(only(&outside).0, FindingClass::DuplicateInFlasherp);
}

#[test]
fn another_record_in_the_place_of_the_target_that_is_gone_is_told_with_both_ids() {
    let verdict = judged(|case| case.theirs = Some(record("t2", "10.99", "EUR")));
    assert_eq!(only(&verdict), (FindingClass::MissingInFlasherp, vec![]));
    let found = &verdict.findings[0];
    assert_eq!((found.ours.as_deref(), found.theirs.as_deref()), (Some("\"t1\""), Some("\"t2\"")));
}

#[test]
fn what_changed_since_the_cut_off_is_left_out_and_what_is_outside_of_the_window_is_nothing() {
    let late_there = judged(|case| {
        let theirs = record("t1", "5.00", "EUR");
        case.theirs = Some(Record { updated_at: CUTOFF, ..theirs });
    });
    assert_eq!(late_there.what, What::LeftOut);
    let late_here = judged(|case| {
        let ours = Transaction { updated_at: CUTOFF + Duration::SECOND, ..payment(1) };
        case.ours = Some(Ok(SourceRecord::Transaction(ours)));
    });
    assert_eq!(late_here.what, What::LeftOut);
    let outside = judged(|case| {
        let theirs = record("t1", "5.00", "EUR");
        case.theirs = Some(Record { created_at: FROM - Duration::MILLISECOND, ..theirs });
    });
    assert_eq!(outside, Verdict::default());
}

#[test]
fn what_flasherp_made_of_a_value_that_we_sent_is_no_difference() {
    let sent = payment(1099);
    let wanted = SourceRecord::Transaction(Transaction { description: Some("Coaching".to_owned()), ..sent.clone() });
    let json = format!(
        r#"{{"id":"t1","createdAt":"2026-11-10T00:00:01Z","updatedAt":"2026-11-10T00:00:01Z","customerId":"fcu_1","amount":10.99,
            "currency":"EUR","status":"completed","type":"payment","upcoachReference":"{}","description":"COACHING"}}"#,
        id()
    );
    let held = Record::parse(&json).expect("a record");
    let fields = wanted.map(Some(&flasherp("fcu_1"))).expect("a customer").expect("it maps");
    let judged = |base: Base| {
        judged(|case| {
            case.ours = Some(Ok(wanted.clone()));
            case.theirs = Some(held.clone());
            case.sync = Some(Sync { base, ..synced("t1") });
        })
    };
    assert_eq!(judged(Base::default().after_write(&fields, Some(&held))).what, What::Matched);
    assert_eq!(only(&judged(Base::found(&fields, &held, Leftover::Keep))).0, FindingClass::Mismatch);
}

#[test]
fn a_record_that_cannot_be_told_says_why_and_an_amount_that_is_none_is_counted_as_such() {
    let verdict = judged(|case| {
        let ours = Transaction { currency: "zzz".to_owned(), ..payment(1099) };
        case.ours = Some(Ok(SourceRecord::Transaction(ours)));
    });
    assert_eq!(only(&verdict), (FindingClass::FailedSync, vec![("EUR", -1099)]));
    assert!(verdict.findings[0].ours.as_deref().is_some_and(|ours| ours.starts_with("{\"problem\":")));
    assert!(verdict.ours.is_unreadable && !verdict.theirs.is_unreadable, "what it is worth nobody knows");
    let verdict = judged(|case| {
        let ours = Transaction { currency: "zzz".to_owned(), ..payment(1099) };
        (case.suspicion, case.ours, case.theirs) = (Suspicion::Ours, Some(Ok(SourceRecord::Transaction(ours))), None);
    });
    assert!(verdict.ours.is_unreadable, "{verdict:?}");
    let verdict = judged(|case| case.theirs = Some(record("t1", "\"10.99\"", "EUR")));
    assert!(verdict.theirs.is_unreadable);
    assert_eq!(only(&verdict), (FindingClass::Mismatch, vec![("EUR", 1099)]));
}
