//! The table of who tells what to whom is whole: nothing is said to nobody, and nothing is heard that nobody says.

use std::collections::BTreeSet;

use events::traffic::{Durable, Party, Stream, TRAFFIC, Way};
use events::{CATALOG, EventInfo, EventType, Nature, SyncFailed};

fn who(way: impl Fn(Way) -> bool, kind: &str) -> BTreeSet<Party> {
    TRAFFIC.iter().filter(|flow| way(flow.way) && flow.event.info().kind == kind).map(|flow| flow.party).collect()
}

#[test]
fn every_event_is_said_and_heard() {
    for info in CATALOG {
        assert!(!who(|way| way == Way::Publishes, info.kind).is_empty(), "nobody says {}", info.kind);
        assert!(!who(|way| way != Way::Publishes, info.kind).is_empty(), "nobody hears {}", info.kind);
    }
}

#[test]
fn every_hint_is_worked_on_by_one_durable_and_heard_by_nobody_else() {
    for info in CATALOG.iter().filter(|info| info.nature == Nature::Hint) {
        let flows: Vec<_> =
            TRAFFIC.iter().filter(|flow| flow.event.info().kind == info.kind).map(|flow| flow.way).collect();
        assert_eq!(flows.iter().filter(|way| matches!(way, Way::ConsumesOnce(_))).count(), 1, "{}", info.kind);
        assert!(!flows.contains(&Way::ConsumesAll), "{}", info.kind);
    }
}

#[test]
fn the_admin_api_hears_every_fact_for_waiting_callers_and_live_events() {
    for info in CATALOG.iter().filter(|info| info.nature == Nature::Fact) {
        assert!(who(|way| way == Way::ConsumesAll, info.kind).contains(&Party::ConfigApi), "{}", info.kind);
    }
}

#[test]
fn every_service_hears_that_the_configuration_changed() {
    let hearers = who(|way| way == Way::ConsumesAll, events::ConfigChanged::TYPE);
    assert_eq!(hearers, Party::ALL.into_iter().filter(|party| *party != Party::Erpctl).collect());
}

#[test]
fn a_durable_reads_one_stream_of_its_own_party() {
    for durable in Durable::ALL {
        assert!(!durable.subjects().is_empty(), "{durable:?}");
        for subjects in durable.subjects() {
            assert_eq!(Stream::of_subject(subjects), Some(durable.stream()), "{subjects}");
        }
    }
    assert!(Durable::SyncWorkerOutbound.reads_hints() && !Durable::Scheduler.reads_hints());
}

#[test]
fn types_and_subjects_are_unique_versioned_and_kept_by_a_stream() {
    let mut seen = BTreeSet::new();
    for info in CATALOG {
        let (name, version) = info.kind.rsplit_once(".v").expect("a version at the end");
        assert!(version.parse::<u32>().is_ok_and(|version| version > 0), "{}", info.kind);
        assert_eq!(name, format!("upcoach.erp.{}", info.subjects.trim_end_matches(".*")));
        assert!(Stream::of_subject(info.subjects).is_some(), "{}", info.subjects);
        assert!(seen.insert(info.kind) && seen.insert(info.subjects), "{}", info.kind);
    }
}

#[test]
fn the_table_has_no_row_twice() {
    let rows: BTreeSet<_> = TRAFFIC.iter().map(|flow| format!("{flow:?}")).collect();
    assert_eq!(rows.len(), TRAFFIC.len());
}

#[test]
fn a_subject_of_no_stream_is_known_as_such() {
    for subject in ["", "synced.x", "$JS.API.INFO", ">"] {
        assert_eq!(Stream::of_subject(subject), None, "{subject}");
    }
}

#[test]
fn a_subject_tells_its_event_type() {
    fn kind(subject: &str) -> Option<&'static str> {
        EventInfo::of_subject(subject).map(|info| info.kind)
    }
    for failed in SyncFailed::examples() {
        assert_eq!(kind(&failed.subject()), Some(SyncFailed::TYPE));
    }
    assert_eq!(kind("config.changed"), Some("upcoach.erp.config.changed.v1"));
    for subject in ["sync.failed", "sync.failed.", "sync.failed.a.b", "config.changed.x", "else", ""] {
        assert_eq!(kind(subject), None, "{subject}");
    }
}
