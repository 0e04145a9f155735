//! Readers of members and parameters, from good and bad input.

use serde_json::json;

use super::*;

#[derive(Debug, PartialEq)]
struct Inner {
    on: Option<bool>,
}

impl FromFields for Inner {
    fn read(fields: &mut Fields) -> Self {
        Self { on: fields.flag("on") }
    }
}

#[derive(Debug, PartialEq)]
struct Asked {
    name: Option<String>,
    count: Option<i64>,
    since: Option<OffsetDateTime>,
    kinds: Option<Vec<u8>>,
    inner: Option<Inner>,
}

impl FromFields for Asked {
    fn read(fields: &mut Fields) -> Self {
        Self {
            name: fields.text_of("name", 1..=5),
            count: fields.integer("count", 1..=10),
            since: fields.time("since"),
            kinds: fields.some_of("kinds", &[("a", 1), ("b", 2)]),
            inner: fields.object("inner"),
        }
    }
}

fn named(refused: Result<Asked, Vec<Detail>>) -> Vec<String> {
    refused.expect_err("refused").into_iter().map(|detail| detail.field).collect()
}

#[test]
fn what_is_absent_is_none() {
    let nothing = Asked { name: None, count: None, since: None, kinds: None, inner: None };
    assert_eq!(Fields::of_json(json!({})).read::<Asked>(), Ok(nothing));
}

#[test]
fn a_query_and_a_body_say_the_same_in_their_own_ways() {
    let in_query = Fields::of_query("name=%C3%A4b&count=10&since=2026-01-31T12:00:00%2B02:00&kinds=b,a");
    let in_body =
        Fields::of_json(json!({"name": "äb", "count": 10, "since": "2026-01-31T10:00:00Z", "kinds": ["b", "a"]}));
    assert_eq!(in_query.read::<Asked>().expect("good"), in_body.read::<Asked>().expect("good"));
}

#[test]
fn times_are_of_the_years_that_can_be_written_in_utc() {
    let since = |text: &str| Fields::of_json(json!({"since": text})).read::<Asked>().map(|asked| asked.since);
    for fits in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59+00:01"] {
        assert!(since(fits).expect("good").is_some(), "{fits}");
    }
    for out in
        ["0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "0000-06-01T00:00:00Z", "10000-01-01T00:00:00Z"]
    {
        assert!(since(out).is_err(), "{out}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let body = json!({"name": "", "count": 11, "since": "yesterday", "kinds": ["c"], "inner": {"on": 1, "off": 2}, "more": null});
    assert_eq!(
        named(Fields::of_json(body).read()),
        ["name", "count", "since", "kinds", "inner.on", "inner.off", "more"]
    );
    let query = "name=abcdef&count=1.0&since=&kinds=&inner=x&more=1";
    assert_eq!(named(Fields::of_query(query).read()), ["name", "count", "since", "kinds", "inner", "more"]);
}

#[test]
fn the_wrong_type_is_wrong() {
    for body in [json!([]), json!("x"), json!(null), json!(1)] {
        assert_eq!(named(Fields::of_json(body).read()), ["body"]);
    }
    for name in ["name", "count", "since", "kinds", "inner"] {
        for value in [json!(null), json!(1.5), json!(true), json!([1]), json!({"x": 1})] {
            if name == "inner" && value.is_object() {
                continue;
            }
            assert_eq!(named(Fields::of_json(json!({name: value.clone()})).read()), [name], "{value}");
        }
    }
}

#[test]
fn a_parameter_twice_is_wrong() {
    assert_eq!(named(Fields::of_query("count=1&count=2").read()), ["count"]);
    assert_eq!(named(Fields::of_json(json!({"kinds": ["a", "a"]})).read()), ["kinds"]);
}

#[test]
fn a_nul_character_is_refused_wherever_text_is_taken() {
    assert_eq!(named(Fields::of_query("name=a%00b").read()), ["name"]);
    assert_eq!(named(Fields::of_json(json!({"since": "\0"})).read()), ["since"]);
}
