//! A second look at a body that serde_json gave up on: is it no JSON, or well-formed and beyond what serde_json holds (a number like `1e400`,
//! half a surrogate pair)? The latter is signed and has an id, so it is kept and quarantined, not refused.
//!
//! Slower than the scan, and rare.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{Defect, Head, NotAnEvent, Time};

pub(super) fn rescue(text: &str) -> Result<Head<'_>, NotAnEvent> {
    // Raw values are checked for their grammar alone and without recursion: numbers of any size and any escape pass.
    let whole: &RawValue = serde_json::from_str(text).map_err(|_| NotAnEvent::NotJson)?;
    let entries = entries(whole).ok_or(NotAnEvent::NoIdOrType { missing: "id" })?;
    let get = |name: &str| entries.get(name).copied();
    let data = get("data").and_then(self::entries);
    let object_id = data.and_then(|data| {
        let of_object =
            data.get("object").copied().and_then(self::entries).and_then(|object| object.get("id").copied());
        of_object.or_else(|| data.get("id").copied())
    });
    Ok(Head {
        id: get("id").and_then(string),
        event_type: get("type").and_then(string),
        time: get("created").or_else(|| get("timestamp")).map_or(Time::Absent, |raw| {
            serde_json::from_str(raw.get())
                .map(Time::UnixSeconds)
                .ok()
                .or_else(|| string(raw).map(Time::Text))
                .unwrap_or(Time::Unreadable)
        }),
        livemode: get("livemode").and_then(|raw| serde_json::from_str(raw.get()).ok()),
        api_version: get("api_version").and_then(string),
        object_id: object_id.and_then(string),
        defect: Some(defect(whole)),
    })
}

/// An object's values by their keys; `None` for what is no object. Of a key that is there twice the first counts.
fn entries(raw: &RawValue) -> Option<BTreeMap<Cow<'_, str>, &RawValue>> {
    struct Entries;
    impl<'a> serde::de::Visitor<'a> for Entries {
        type Value = BTreeMap<Cow<'a, str>, &'a RawValue>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: serde::de::MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = BTreeMap::new();
            while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                if let Some(key) = string(key) {
                    entries.entry(key).or_insert(value);
                }
            }
            Ok(entries)
        }
    }
    serde::Deserializer::deserialize_map(&mut serde_json::Deserializer::from_str(raw.get()), Entries).ok()
}

/// A string's text; where an escape in it is no character, its raw text, so that the event still has an id.
fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let text = raw.get();
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    Some(serde_json::from_str(text).map_or(Cow::Borrowed(inner), Cow::Owned))
}

/// Why the scan failed on JSON that is well-formed.
fn defect(whole: &RawValue) -> Defect {
    match serde_json::from_str::<serde_json::Value>(whole.get()) {
        Err(error) if error.to_string().starts_with("number out of range") => Defect::NumberOutOfRange,
        _ => Defect::Surrogate,
    }
}
