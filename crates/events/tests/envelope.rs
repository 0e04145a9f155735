//! The envelope on the wire: what is written, what is read, what is refused.

use domain::{EntityType, SyncId};
use events::traffic::Party;
use events::{
    AnyEvent, CATALOG, Decode, DecodeError, Event, EventType, Hint, SyncCompleted, SyncFailed, SyncRequested,
    WebhookReceived,
};
use serde_json::{Value, json};
use time::macros::datetime;
use uuid::Uuid;

const ID: Uuid = Uuid::from_u128(0x0193_2f6a_7c1d_7000_8000_0000_0000_0001);

fn event<T: EventType>(data: T) -> Event<T> {
    Event::new(ID, Party::SyncWorker, datetime!(2026-01-02 05:04:05.678_9 +2), data)
}

fn json_of<T: EventType>(data: T) -> Value {
    serde_json::from_slice(&event(data).to_json()).expect("an event is JSON")
}

#[test]
fn an_event_is_a_structured_cloud_event_with_camel_case_data() {
    let failed = SyncFailed::examples().remove(0);
    assert_eq!(
        json_of(failed),
        json!({
            "id": "01932f6a-7c1d-7000-8000-000000000001",
            "source": "/erp/sync-worker",
            "type": "upcoach.erp.sync.failed.v1",
            "specversion": "1.0",
            "time": "2026-01-02T03:04:05.678Z",
            "subject": "sync/00000000-0000-0000-0000-000000000001",
            "datacontenttype": "application/json",
            "data": {
                "syncId": "00000000-0000-0000-0000-000000000001",
                "sourceSystem": "upcoach",
                "entityType": "transaction",
                "sourceId": "00000000-0000-0000-0000-000000000002",
                "errorCode": "TIMEOUT",
                "outcome": "unknown",
                "retryCount": 0,
                "nextRetryAt": "1970-01-01T00:00:00.000Z",
                "requestCounter": 2,
                "durationMs": 30012,
                "requestId": "00000000-0000-0000-0000-000000000003",
            },
        })
    );
}

#[test]
fn every_example_comes_back_as_it_was_sent() {
    fn comes_back<T: EventType + PartialEq>(found: &mut Vec<&'static str>)
    where
        AnyEvent: From<Event<T>>,
    {
        for data in T::examples() {
            let sent = event(data);
            let body = sent.to_json();
            assert_eq!(Event::<T>::decode(&body).expect("decodes"), sent);
            let any = AnyEvent::decode(&body).expect("decodes");
            assert_eq!((any.kind(), any.event_id()), (T::TYPE, ID));
            assert_eq!(any, AnyEvent::from(sent));
        }
        found.push(T::TYPE);
    }
    let mut found = Vec::new();
    macro_rules! all { ($($name:ident)+) => { $(comes_back::<events::$name>(&mut found);)+ } }
    all! {
        SyncRequested WebhookReceived ReconciliationRequested SyncCompleted SyncFailed SyncDuplicateFound WebhookApplied
        ReconciliationCompleted ConfigChanged CircuitChanged HealthChecked AlertRaised JobFinished AuditSealed
    }
    assert_eq!(found, CATALOG.iter().map(|info| info.kind).collect::<Vec<_>>());
}

#[test]
fn a_field_to_come_is_ignored() {
    let mut sent = json_of(SyncCompleted::examples().remove(0));
    sent["traceid"] = json!("x");
    sent["data"]["addedLater"] = json!([1]);
    let read = Event::<SyncCompleted>::decode(sent.to_string().as_bytes()).expect("decodes");
    assert_eq!(read.data, SyncCompleted::examples()[0]);
    assert_eq!(read.data.sync_id, SyncId(Uuid::from_u128(1)));
}

#[test]
fn another_type_is_told_from_a_broken_message() {
    let completed = json_of(SyncCompleted::examples().remove(0)).to_string();
    let error = Event::<SyncFailed>::decode(completed.as_bytes()).expect_err("another type");
    assert!(matches!(error, DecodeError::Type { wanted: "upcoach.erp.sync.failed.v1" }), "{error:?}");

    let mut unknown = json_of(SyncCompleted::examples().remove(0));
    unknown["type"] = json!("upcoach.erp.sync.completed.v2");
    let error = AnyEvent::decode(unknown.to_string().as_bytes()).expect_err("an unknown type");
    assert!(matches!(error, DecodeError::Type { wanted: "any" }), "{error:?}");

    let mut old = json_of(SyncCompleted::examples().remove(0));
    old["specversion"] = json!("0.3");
    let error = Event::<SyncCompleted>::decode(old.to_string().as_bytes()).expect_err("an old envelope");
    assert!(matches!(error, DecodeError::SpecVersion), "{error:?}");
}

#[test]
fn what_is_no_event_is_refused_without_showing_what_it_says() {
    let mut wrong_word = json_of(SyncRequested::examples().remove(0));
    wrong_word["data"]["entityType"] = json!("alice@example.com");
    let mut wrong_time = json_of(SyncRequested::examples().remove(0));
    wrong_time["time"] = json!("alice@example.com");
    let bodies = [
        Vec::new(),
        b"\xff\xfe".to_vec(),
        b"{\"type\": \"alice@example.com\"".to_vec(),
        b"[]".to_vec(),
        wrong_word.to_string().into_bytes(),
        wrong_time.to_string().into_bytes(),
    ];
    for body in bodies {
        let error = Event::<SyncRequested>::decode(&body).expect_err("no event");
        assert!(matches!(error, DecodeError::Malformed { .. }), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("alice"), "{error:?}");
    }
}

#[test]
fn a_hint_with_many_ids_is_split_and_loses_none() {
    let ids: Vec<_> = (0..2_501).map(Uuid::from_u128).collect();
    let pieces = SyncRequested { entity_type: EntityType::Invoice, ids: ids.clone() }.split(1_000);
    assert_eq!(pieces.iter().map(|piece| piece.ids.len()).collect::<Vec<_>>(), [1_000, 1_000, 501]);
    assert!(pieces.iter().all(|piece| piece.subject() == "sync.requested.invoice"));
    assert_eq!(pieces.into_iter().flat_map(|piece| piece.ids).collect::<Vec<_>>(), ids);
}

#[test]
fn a_hint_without_ids_is_not_sent() {
    assert!(SyncRequested { entity_type: EntityType::Invoice, ids: Vec::new() }.split(1_000).is_empty());
    assert!(WebhookReceived { source: events::WebhookSource::Stripe, ids: Vec::new() }.split(1_000).is_empty());
}
