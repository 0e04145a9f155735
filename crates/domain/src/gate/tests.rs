//! Cases first, then what holds whatever happens.

use std::time::Duration;

use proptest::prelude::*;
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

use super::*;

const NOW: OffsetDateTime = datetime!(2026-11-24 09:30:00 UTC);
const SETTINGS: BreakerSettings = BreakerSettings { failures: 5, reset: Duration::from_secs(60) };
const LEASE: Duration = Duration::from_secs(120);
const ORDINARY: Caller = Caller { outbound: true, probe: None };

fn record(n: u128) -> SyncId {
    SyncId(Uuid::from_u128(n))
}

fn worker(n: u128) -> Uuid {
    Uuid::from_u128(1000 + n)
}

fn failed(n: u128) -> Report {
    Report::Failed { record: Some(record(n)) }
}

/// The gate after these, all at one time, and the causes.
fn play(gate: &Gate, now: OffsetDateTime, reports: &[Report]) -> (Gate, Vec<Cause>) {
    let mut causes = Vec::new();
    let mut gate = gate.clone();
    for report in reports {
        let step = gate.after(*report, now, &SETTINGS);
        gate = step.gate;
        causes.extend(step.cause);
    }
    (gate, causes)
}

fn opened() -> Gate {
    play(&Gate::default(), NOW, &[failed(1), Report::HealthFailed]).0
}

fn half_open(at: OffsetDateTime) -> Gate {
    play(&opened(), at, &[Report::ProbeTaken { owner: worker(1), lease: LEASE }]).0
}

const LATER: OffsetDateTime = datetime!(2026-11-24 09:31:00 UTC);

#[test]
fn five_failures_in_a_row_from_two_records_open_it_and_fewer_or_one_records_do_not() {
    let (gate, causes) = play(&Gate::default(), NOW, &[failed(1), failed(1), failed(1), failed(1)]);
    assert!(gate.is_closed() && causes.is_empty());
    let (one_record, _) = play(&gate, NOW, &[failed(1), failed(1), failed(1)]);
    assert!(one_record.is_closed(), "one record alone never opens it");
    let (open, causes) = play(&gate, NOW, &[failed(2)]);
    assert_eq!(causes, [Cause::FailuresInARow]);
    let retry_at = NOW + SETTINGS.reset;
    assert_eq!(open.admits(ORDINARY, NOW), Admission::Shut(Shut::Open { retry_at }));
    assert_eq!(open.failures(), 5);
}

#[test]
fn a_success_in_between_starts_the_row_anew() {
    let (gate, _) = play(&Gate::default(), NOW, &[failed(1), failed(2), failed(3), failed(4), Report::Succeeded]);
    assert_eq!((gate.failures(), gate.heeds_success()), (0, false));
    assert!(play(&gate, NOW, &[failed(5)]).0.is_closed());
}

#[test]
fn one_failure_and_a_failed_health_check_are_enough_in_either_order() {
    for reports in [[failed(1), Report::HealthFailed], [Report::HealthFailed, failed(1)]] {
        let (gate, causes) = play(&Gate::default(), NOW, &reports);
        assert!(!gate.is_closed());
        assert_eq!(causes, [Cause::HealthCheckFailed]);
    }
    let (gate, _) = play(&Gate::default(), NOW, &[Report::HealthFailed, Report::HealthPassed, failed(1)]);
    assert!(gate.is_closed());
    let (gate, _) = play(&Gate::default(), NOW, &[Report::HealthFailed, Report::HealthFailed]);
    assert!(gate.is_closed(), "no call has failed");
}

#[test]
fn what_fails_or_succeeds_late_does_not_move_an_open_breaker() {
    let open = opened();
    let (after, causes) = play(&open, NOW, &[failed(2), Report::Succeeded, Report::HealthPassed]);
    assert_eq!((after, causes), (open, vec![]));
}

#[test]
fn after_the_reset_time_one_worker_probes_and_the_others_are_shut_out() {
    let open = opened();
    let early = [Report::ProbeTaken { owner: worker(1), lease: LEASE }];
    assert_eq!(play(&open, LATER - Duration::from_millis(1), &early).1, []);
    let (gate, causes) = play(&open, LATER, &[early[0], Report::ProbeTaken { owner: worker(2), lease: LEASE }]);
    assert_eq!(causes, [Cause::ResetTime]);
    let probing = |n| Caller { outbound: true, probe: Some(worker(n)) };
    assert_eq!(gate.admits(probing(1), LATER), Admission::Pass);
    assert!(matches!(gate.admits(probing(2), LATER), Admission::Shut(Shut::Open { .. })));
    assert!(matches!(gate.admits(ORDINARY, LATER), Admission::Shut(Shut::Open { .. })));
    // A worker that died with the probe is succeeded, and its own word no longer counts.
    let over = LATER + LEASE;
    assert!(matches!(gate.admits(probing(1), over), Admission::Shut(Shut::Open { .. })));
    let (taken, _) = play(&gate, over, &[Report::ProbeTaken { owner: worker(2), lease: LEASE }]);
    let (still, causes) = play(&taken, over, &[Report::ProbeSucceeded { owner: worker(1) }]);
    assert_eq!((still, causes), (taken.clone(), vec![]));
    assert!(play(&taken, over, &[Report::ProbeSucceeded { owner: worker(2) }]).0.is_closed());
}

#[test]
fn a_failed_probe_opens_it_for_another_reset_time_and_is_remembered() {
    let probe = [Report::ProbeChosen { owner: worker(1), record: record(7) }, Report::ProbeFailed { owner: worker(1) }];
    let (gate, causes) = play(&half_open(LATER), LATER, &probe);
    assert_eq!(causes, [Cause::ProbeFailed]);
    assert_eq!(gate.last_probe, Some(record(7)));
    assert!(!gate.probe_is_due(LATER + Duration::from_secs(59)) && gate.probe_is_due(LATER + Duration::from_secs(60)));
    let (gate, causes) = play(&half_open(LATER), LATER, &[Report::HealthFailed]);
    assert_eq!((causes, gate.probe_is_due(LATER)), (vec![Cause::ProbeFailed], false));
}

#[test]
fn a_probe_given_back_can_be_taken_at_once() {
    let (gate, _) = play(&half_open(LATER), LATER, &[Report::ProbeGivenBack { owner: worker(1) }]);
    assert!(gate.probe_is_due(LATER));
}

#[test]
fn refused_credentials_stop_everything_until_the_configuration_changes_or_health_passes() {
    let stop = Report::LockedOut { code: ErrorCode::InvalidApiKey, version: 3 };
    let (gate, causes) = play(&Gate::default(), NOW, &[stop, stop]);
    assert_eq!(causes, [Cause::CredentialsRefused]);
    for caller in [ORDINARY, Caller::default()] {
        assert_eq!(gate.admits(caller, NOW), Admission::Shut(Shut::Stopped(ErrorCode::InvalidApiKey)));
    }
    assert_eq!(play(&gate, NOW, &[Report::Succeeded, Report::Configured { version: 3 }]), (gate.clone(), vec![]));
    for lifted in [Report::Configured { version: 4 }, Report::HealthPassed] {
        assert_eq!(play(&gate, NOW, &[lifted]), (Gate::default(), vec![Cause::StopLifted]));
    }
}

#[test]
fn being_told_to_wait_holds_everyone_and_only_ever_longer() {
    let wait = |secs| Report::ToldToWait { wait: Duration::from_secs(secs), code: ErrorCode::QuotaExceeded };
    let (gate, causes) = play(&Gate::default(), NOW, &[wait(0), wait(30), wait(10), wait(60)]);
    assert_eq!(causes, [Cause::ToldToWait]);
    let until = NOW + Duration::from_secs(60);
    assert_eq!(gate.admits(ORDINARY, NOW), Admission::Wait { until, code: ErrorCode::QuotaExceeded });
    assert_eq!(gate.admits(ORDINARY, until), Admission::Pass);
}

#[test]
fn a_pause_holds_outbound_work_and_lets_reading_pass() {
    let gate = Gate { paused: true, ..Gate::default() };
    assert_eq!(gate.admits(ORDINARY, NOW), Admission::Shut(Shut::Paused));
    assert_eq!(gate.admits(Caller::default(), NOW), Admission::Pass);
    let shut = Gate { paused: true, ..opened() };
    assert!(!shut.probe_is_due(LATER), "nobody probes while it is paused");
}

fn reports() -> impl Strategy<Value = Report> {
    let owner = (0_u128..3).prop_map(worker);
    prop_oneof![
        3 => Just(Report::Succeeded),
        6 => proptest::option::of(0_u128..3).prop_map(|n| Report::Failed { record: n.map(record) }),
        1 => Just(Report::HealthPassed),
        1 => Just(Report::HealthFailed),
        1 => (0_i64..3).prop_map(|version| Report::LockedOut { code: ErrorCode::AuthFailed, version }),
        1 => (0_u64..90).prop_map(|s| Report::ToldToWait { wait: Duration::from_secs(s), code: ErrorCode::RateLimitExceeded }),
        3 => owner.clone().prop_map(|owner| Report::ProbeTaken { owner, lease: LEASE }),
        1 => (owner.clone(), 0_u128..3).prop_map(|(owner, n)| Report::ProbeChosen { owner, record: record(n) }),
        2 => owner.clone().prop_map(|owner| Report::ProbeFailed { owner }),
        2 => owner.clone().prop_map(|owner| Report::ProbeSucceeded { owner }),
        1 => owner.prop_map(|owner| Report::ProbeGivenBack { owner }),
        1 => (0_i64..3).prop_map(|version| Report::Configured { version }),
    ]
}

proptest! {
    #[test]
    fn whatever_is_reported_the_gate_keeps_its_promises(
        history in proptest::collection::vec((reports(), 0_u64..100), 1..120),
    ) {
        let (mut gate, mut now) = (Gate::default(), NOW);
        for (report, secs) in history {
            now += Duration::from_secs(secs);
            let Step { gate: next, cause } = gate.after(report, now, &SETTINGS);

            // It opens by failures or a failed health check alone, and closes by its live probe alone.
            if gate.is_closed() && !next.is_closed() {
                let opens = matches!(report, Report::Failed { .. } | Report::HealthFailed);
                prop_assert!(opens, "{:?} opened it", report);
                prop_assert!(next.failures() > 0);
            }
            if !gate.is_closed() && next.is_closed() {
                let Breaker::HalfOpen { probe, .. } = gate.breaker else { panic!("closed from open") };
                prop_assert_eq!(report, Report::ProbeSucceeded { owner: probe.owner });
            }
            // Nobody takes the probe of a live owner.
            if let (Breaker::HalfOpen { probe, .. }, Breaker::HalfOpen { probe: new, .. }) = (&gate.breaker, &next.breaker) {
                prop_assert!(probe.owner == new.owner || probe.until <= now);
            }
            // A failure while it is not closed counts for nothing.
            if matches!(report, Report::Failed { .. }) && !gate.is_closed() {
                prop_assert_eq!(&gate, &next);
            }
            // A hold never gets shorter, and a stop goes only for what may lift it.
            prop_assert!(next.hold.map(|hold| hold.until) >= gate.hold.map(|hold| hold.until));
            if gate.stop.is_some() && next.stop.is_none() {
                let lifts = matches!(report, Report::HealthPassed | Report::Configured { .. });
                prop_assert!(lifts, "{:?} lifted the stop", report);
            }
            // Whoever is told something finds it, and what shuts or opens the gate is told.
            let seen = |gate: &Gate| (std::mem::discriminant(&gate.breaker), gate.stop);
            if seen(&gate) != seen(&next) {
                prop_assert!(cause.is_some(), "{:?} of {:?}", report, gate);
            }
            if cause.is_some() {
                prop_assert_ne!(&gate, &next);
            }
            // While it is not closed only the owner of a live probe passes.
            let passes = |caller| next.admits(caller, now) == Admission::Pass;
            if !next.is_closed() {
                prop_assert!(!passes(ORDINARY) && !passes(Caller::default()));
                let through = (0..3).filter(|n| passes(Caller { outbound: true, probe: Some(worker(*n)) })).count();
                prop_assert!(through <= 1);
            }
            gate = next;
        }
    }

    #[test]
    fn one_record_that_always_fails_never_shuts_out_the_others(failures in 1_usize..200, passes in 0_usize..3) {
        let mut reports = vec![failed(1); failures];
        reports.extend(vec![Report::HealthPassed; passes]);
        prop_assert!(play(&Gate::default(), NOW, &reports).0.is_closed());
    }

    #[test]
    fn it_opens_with_the_failure_that_completes_the_row(records in proptest::collection::vec(0_u128..3, 1..12)) {
        let reports: Vec<Report> = records.iter().map(|n| failed(*n)).collect();
        let distinct = |upto: usize| {
            let mut seen = records[..upto].to_vec();
            seen.sort_unstable();
            seen.dedup();
            seen.len()
        };
        let first = (1..=records.len()).find(|upto| *upto >= 5 && distinct(*upto) >= 2);
        for upto in 1..=records.len() {
            let closed = play(&Gate::default(), NOW, &reports[..upto]).0.is_closed();
            prop_assert_eq!(closed, first.is_none_or(|first| upto < first));
        }
    }
}
