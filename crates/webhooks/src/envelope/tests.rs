//! What is read, what is refused and what is quarantined, over whole bodies.

use proptest::prelude::*;

use super::*;

fn usable(body: &str) -> Usable {
    read(body.as_bytes()).unwrap_or_else(|error| panic!("{body:.200} is refused: {error}")).usable
}

/// An event with `json` somewhere inside.
fn event_with(json: &str) -> String {
    format!(r#"{{"id":"evt_1","type":"t","data":{{"object":{{"id":"x","a":{json}}}}}}}"#)
}

fn defect(json: &str) -> Option<Defect> {
    let body = event_with(json);
    let envelope = read(body.as_bytes()).unwrap_or_else(|error| panic!("{body:.200} is refused: {error}"));
    assert_eq!((&*envelope.id, &*envelope.event_type, envelope.object_id.as_deref()), ("evt_1", "t", Some("x")));
    match envelope.usable {
        Usable::Yes => None,
        Usable::Quarantine(defect) => Some(defect),
    }
}

#[test]
fn a_stripe_event_is_read() {
    let body = include_bytes!("../../fixtures/stripe/current/payment_intent_succeeded.json");
    let envelope = read(body).expect("an event");
    assert_eq!(
        envelope,
        Envelope {
            id: "evt_1Q2w3eB7WZ01zgkWcur00001".into(),
            event_type: "payment_intent.succeeded".into(),
            occurred_at: OffsetDateTime::from_unix_timestamp(1_764_000_000).ok(),
            livemode: Some(false),
            api_version: Some("2025-09-30.clover".into()),
            object_id: Some("pi_1PgafyB7WZ01zgkWSjxsAJo3".into()),
            usable: Usable::Yes,
        }
    );
    assert!(matches!(envelope.id, Cow::Borrowed(_)), "the head is not copied");
}

#[test]
fn a_flasherp_event_is_read() {
    let body = br#"{"id":"wh_1","type":"invoice.paid","timestamp":"2026-01-02T03:04:05.678Z","data":{"id":"inv_1","status":"paid"}}"#;
    let envelope = read(body).expect("an event");
    assert_eq!(envelope.object_id.as_deref(), Some("inv_1"));
    assert_eq!(envelope.occurred_at, OffsetDateTime::parse("2026-01-02T03:04:05.678Z", &Rfc3339).ok());
    assert_eq!(envelope.usable, Usable::Yes);
}

#[test]
fn what_is_no_json_is_refused() {
    let twice: &[u8] = br#"{"id":"e","type":"t"}{"id":"e","type":"t"}"#;
    for body in [
        b"".as_slice(),
        b"{",
        b"id=1",
        b"{\"id\":\"e\",\"type\":\"t\",}",
        b"{\"id\":\"e\",\"type\":\"\xff\"}",
        b"\xef\xbb\xbf{}",
        twice,
        b"{\"id\":\"a\0b\",\"type\":\"t\"}",
        b"{\"id\":\"e\",\"type\":\"t\",\"n\":01}",
        b"{\"id\":\"e\",\"type\":\"t\",\"n\":1e}",
        b"NaN",
    ] {
        assert_eq!(read(body), Err(NotAnEvent::NotJson), "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn what_has_no_id_or_type_is_refused() {
    for body in [
        "{}",
        "[]",
        "null",
        "1",
        "\"id\"",
        r#"{"type":"t"}"#,
        r#"{"id":1,"type":"t"}"#,
        r#"{"id":"","type":"t"}"#,
        r#"{"id":null,"type":"t"}"#,
        r#"{"data":{"id":"x"},"type":"t"}"#,
    ] {
        assert_eq!(read(body.as_bytes()), Err(NotAnEvent::NoIdOrType { missing: "id" }), "{body}");
    }
    for body in [r#"{"id":"e"}"#, r#"{"id":"e","type":["t"]}"#, r#"{"id":"e","type":""}"#, r#"{"id":"e","n":1e400}"#] {
        assert_eq!(read(body.as_bytes()), Err(NotAnEvent::NoIdOrType { missing: "type" }), "{body}");
    }
}

#[test]
fn ordinary_values_are_usable() {
    for json in [
        "0",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "8.25",
        "1e-400",
        "true",
        "null",
        r#""é\u00e9\ud83d\ude00\n""#,
        r#"[{"a":1},{"a":1}]"#,
        r#"{"b":{"b":{"b":1}}}"#,
    ] {
        assert_eq!(defect(json), None, "{json}");
    }
}

#[test]
fn nul_is_quarantined_in_values_and_in_keys() {
    assert_eq!(defect(r#""a\u0000b""#), Some(Defect::Nul));
    assert_eq!(defect(r#"{"a\u0000":1}"#), Some(Defect::Nul));
}

#[test]
fn half_a_surrogate_pair_is_quarantined() {
    assert_eq!(defect(r#""\ud800""#), Some(Defect::Surrogate));
    assert_eq!(defect(r#""\ud800x""#), Some(Defect::Surrogate));
}

#[test]
fn a_repeated_key_is_quarantined_wherever_it_is() {
    assert_eq!(defect(r#"{"b":1,"b":1}"#), Some(Defect::DuplicateKey));
    assert_eq!(defect(r#"[[{"b":1,"c":{"b":2},"\u0062":1}]]"#), Some(Defect::DuplicateKey));
    assert_eq!(usable(r#"{"id":"evt_1","type":"t","id":"evt_2"}"#), Usable::Quarantine(Defect::DuplicateKey));
    assert_eq!(read(br#"{"id":"evt_1","type":"t","id":"evt_2"}"#).expect("an event").id, "evt_1");
}

#[test]
fn a_repeated_key_is_found_in_objects_of_any_size() {
    for size in [1, 2, 63, 64, 65, 66, 500] {
        for repeated in [0, size / 2, size - 1] {
            let mut keys: Vec<String> = (0..size).map(|n| format!("\"key_number_{n}_of_many\":{n}")).collect();
            assert_eq!(defect(&format!("{{{}}}", keys.join(","))), None);
            keys.push(format!("\"key_number_{repeated}_of_many\":0"));
            assert_eq!(defect(&format!("{{{}}}", keys.join(","))), Some(Defect::DuplicateKey), "{repeated} of {size}");
        }
    }
}

#[test]
fn numbers_out_of_range_are_quarantined() {
    for json in [
        "9223372036854775808",
        "-9223372036854775809",
        "123456789012345678901234567890",
        "1e300",
        "1e400",
        "-1e400",
        "[1,{\"b\":1e999}]",
    ] {
        assert_eq!(defect(json), Some(Defect::NumberOutOfRange), "{json}");
    }
}

#[test]
fn depth_beyond_64_is_quarantined_however_deep() {
    // The event, data and object are three levels.
    for (levels, expected) in
        [(61, None), (62, Some(Defect::TooDeep)), (200, Some(Defect::TooDeep)), (100_000, Some(Defect::TooDeep))]
    {
        assert_eq!(defect(&format!("{}1{}", "[".repeat(levels), "]".repeat(levels))), expected, "{levels}");
        assert_eq!(defect(&format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels))), expected, "{levels}");
    }
    assert_eq!(read(format!("{}1", "[".repeat(100_000)).as_bytes()), Err(NotAnEvent::NotJson));
}

#[test]
fn an_id_of_255_characters_is_kept_and_a_longer_one_is_stored_by_its_hash() {
    let id = "é".repeat(255);
    let body = format!(r#"{{"id":"{id}","type":"t"}}"#);
    let envelope = read(body.as_bytes()).expect("an event");
    assert_eq!((&*envelope.id, envelope.usable), (&*id, Usable::Yes));

    let longer = format!(r#"{{"id":"{id}x","type":"t"}}"#);
    let envelope = read(longer.as_bytes()).expect("an event");
    assert_eq!(envelope.usable, Usable::Quarantine(Defect::IdTooLong));
    assert_eq!(envelope.id.len(), "sha256:".len() + 64);
    assert_eq!(envelope.id, read(longer.as_bytes()).expect("an event").id, "the same event has the same id");
}

#[test]
fn an_object_id_or_type_that_is_too_long_is_quarantined() {
    let long = "x".repeat(256);
    assert_eq!(
        usable(&format!(r#"{{"id":"e","type":"t","data":{{"object":{{"id":"{long}"}}}}}}"#)),
        Usable::Quarantine(Defect::IdTooLong)
    );
    let body = format!(r#"{{"id":"e","type":"{long}"}}"#);
    let envelope = read(body.as_bytes()).expect("an event");
    assert_eq!((envelope.event_type.len(), envelope.usable), (255, Usable::Quarantine(Defect::IdTooLong)));
}

#[test]
fn what_is_stored_as_id_and_type_never_holds_nul() {
    let envelope = read(br#"{"id":"a\u0000b","type":"t\u0000"}"#).expect("an event");
    assert!(envelope.id.starts_with("sha256:"));
    assert_eq!(envelope.event_type, "t\u{fffd}");
    assert_eq!(envelope.usable, Usable::Quarantine(Defect::Nul));
}

#[test]
fn a_time_that_is_none_is_quarantined_and_a_missing_one_is_not() {
    for time in ["\"yesterday\"", "{}", "[]", "true", "1.5", "999999999999999"] {
        let body = format!(r#"{{"id":"e","type":"t","created":{time}}}"#);
        let envelope = read(body.as_bytes()).expect("an event");
        assert_eq!((envelope.usable, envelope.occurred_at), (Usable::Quarantine(Defect::Time), None), "{time}");
    }
    assert_eq!(usable(r#"{"id":"e","type":"t","created":null}"#), Usable::Yes);
    assert_eq!(usable(r#"{"id":"e","type":"t"}"#), Usable::Yes);
}

#[test]
fn the_head_of_what_only_the_rescue_can_read_is_the_same() {
    let plain = r#"{"id":"evt_1","created":1764000000,"livemode":true,"api_version":"v","type":"t","data":{"object":{"id":"x"}},"n":1}"#;
    let beyond = plain.replace("\"n\":1", "\"n\":1e400");
    let mut expected = read(plain.as_bytes()).expect("an event");
    expected.usable = Usable::Quarantine(Defect::NumberOutOfRange);
    assert_eq!(read(beyond.as_bytes()).expect("an event"), expected);

    let envelope = read(br#"{"id":"evt_\ud800","type":"t"}"#).expect("an event");
    assert_eq!((&*envelope.id, envelope.usable), (r"evt_\ud800", Usable::Quarantine(Defect::Surrogate)));
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        "[^\0]{0,20}".prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::btree_map("[a-zé\"\\\\]{0,12}", inner, 0..8)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn anything_without_defects_is_usable(value in json()) {
        prop_assert_eq!(defect(&value.to_string()), None);
    }

    #[test]
    fn garbage_never_panics(body in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&body).is_err());
    }

    #[test]
    fn nearly_json_never_panics(tokens in prop::collection::vec(prop::sample::select(vec!["{", "}", "[", "]", ",", ":", "\"id\"", "\"type\"", "\"\\u0000\"", "\"\\ud800\"", "1e400", "1", "\"created\"", "\"data\"", "null"]), 0..40)) {
        let _outcome = read(tokens.concat().as_bytes());
    }

    /// Whatever is accepted is what serde_json accepts, apart from what is quarantined.
    #[test]
    fn a_cut_event_is_refused(cut in any::<prop::sample::Index>()) {
        let body = include_bytes!("../../fixtures/stripe/legacy/customer_updated.json").trim_ascii_end();
        let cut = cut.index(body.len());
        prop_assert_eq!(read(&body[..cut]), Err(NotAnEvent::NotJson));
    }
}
