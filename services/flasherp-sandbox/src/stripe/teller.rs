//! Tells one story: keeps the objects as they are at each moment, and makes an event of such a moment when it is told.
//!
//! What is drawn (ids, amounts, names) is drawn in the same order whatever is wanted of the story: which events are told, in which shape,
//! and whether their texts are needed must not change the others.

use rand::{SeedableRng, rngs::StdRng};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{ApiShape, EventKind, StoryOptions, StripeCurrency, StripeEvent, calendar, ids::StoryKey};

/// An object of this story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Handle(usize);

/// What is wanted of a story's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of them.
    All,
    /// The one at that place, counted from 0; the others without their texts.
    Only(u32),
    /// Ids, types and times.
    Heads,
}

#[derive(Debug)]
struct Object {
    now: Map<String, Value>,
    /// What its fields were before they changed, since the last event about it.
    before: Map<String, Value>,
}

/// A story being told.
#[derive(Debug)]
pub(super) struct Teller<'a> {
    pub(super) options: &'a StoryOptions,
    pub(super) random: StdRng,
    key: StoryKey,
    /// Unix seconds.
    at: i64,
    objects: Vec<Object>,
    wanted: Wanted,
    events: Vec<StripeEvent>,
}

/// A story that was told.
#[derive(Debug)]
pub(super) struct Told {
    /// Oldest first.
    pub(super) events: Vec<StripeEvent>,
    /// As they are after the last event, in the order in which they were made.
    pub(super) objects: Vec<Value>,
}

impl<'a> Teller<'a> {
    pub(super) fn new(seed: u64, index: u64, options: &'a StoryOptions, wanted: Wanted) -> Self {
        let digest = Sha256::new()
            .chain_update(b"stripe story")
            .chain_update(seed.to_be_bytes())
            .chain_update(index.to_be_bytes());
        Self {
            options,
            random: StdRng::from_seed(digest.finalize().into()),
            key: StoryKey::of(seed, index),
            at: options.created,
            objects: Vec::new(),
            wanted,
            events: Vec::new(),
        }
    }

    pub(super) fn end(self) -> Told {
        Told {
            events: self.events,
            objects: self.objects.into_iter().map(|object| Value::Object(object.now)).collect(),
        }
    }

    /// Now, in unix seconds.
    pub(super) fn now(&self) -> i64 {
        self.at
    }

    /// Time passes: so many days by the calendar; a second where stories are told in seconds.
    pub(super) fn pass_days(&mut self, days: i64) {
        self.pass_until(self.at + days * calendar::DAY);
    }

    /// Time passes up to that moment; a second where stories are told in seconds.
    pub(super) fn pass_until(&mut self, moment: i64) {
        self.at = if self.options.calendar { moment.max(self.at + 1) } else { self.at + 1 };
    }

    /// A second passes.
    pub(super) fn pass(&mut self) {
        self.at += 1;
    }

    /// The story began so long ago that it ends now, if the time of its beginning was left open.
    pub(super) fn ends_after_months(&mut self, months: i32) {
        if self.options.calendar && self.options.ends_at_created {
            // Forty days more than the months: trials, retries and disputes take their days.
            self.at = calendar::add_months(self.at, -months) - 40 * calendar::DAY;
        }
    }

    pub(super) fn is_current(&self) -> bool {
        self.options.shape == ApiShape::Current
    }

    pub(super) fn shape(&self) -> ApiShape {
        self.options.shape
    }

    pub(super) fn draw_id(&mut self, prefix: &str) -> String {
        self.key.draw(prefix, &mut self.random)
    }

    pub(super) fn draw_currency(&mut self) -> StripeCurrency {
        use rand::seq::IndexedRandom;
        self.options.currencies.choose(&mut self.random).copied().unwrap_or(StripeCurrency::USUAL[0])
    }

    /// A new object, with an `id`.
    pub(super) fn add(&mut self, object: Value) -> Handle {
        let Value::Object(now) = object else { unreachable!("objects are made with json!({{...}})") };
        self.objects.push(Object { now, before: Map::new() });
        Handle(self.objects.len() - 1)
    }

    /// A field of an object; null if it has none.
    pub(super) fn get(&self, of: Handle, field: &str) -> &Value {
        self.objects[of.0].now.get(field).unwrap_or(&Value::Null)
    }

    /// A whole object.
    pub(super) fn object(&self, of: Handle) -> Value {
        Value::Object(self.objects[of.0].now.clone())
    }

    pub(super) fn text(&self, of: Handle, field: &str) -> String {
        self.get(of, field).as_str().unwrap_or_default().to_owned()
    }

    pub(super) fn number(&self, of: Handle, field: &str) -> i64 {
        self.get(of, field).as_i64().unwrap_or_default()
    }

    pub(super) fn id(&self, of: Handle) -> String {
        self.text(of, "id")
    }

    pub(super) fn currency(&self, of: Handle) -> StripeCurrency {
        let code = self.get(of, "currency").as_str().unwrap_or_default();
        StripeCurrency::from_code(code).unwrap_or(StripeCurrency::USUAL[0])
    }

    /// Changes fields of an object; new ones are added.
    pub(super) fn change(&mut self, of: Handle, fields: Value) {
        let Value::Object(fields) = fields else { unreachable!("fields are made with json!({{...}})") };
        let object = &mut self.objects[of.0];
        for (name, value) in fields {
            let old = object.now.insert(name.clone(), value).unwrap_or(Value::Null);
            if object.now.get(&name) != Some(&old) {
                object.before.entry(name).or_insert(old);
            }
        }
    }

    /// Changes fields of an object that no event tells as changed.
    pub(super) fn change_quietly(&mut self, of: Handle, fields: Value) {
        let before = self.objects[of.0].before.clone();
        self.change(of, fields);
        self.objects[of.0].before = before;
    }

    /// Makes an event of an object as it is now.
    pub(super) fn tell(&mut self, kind: EventKind, event_type: &'static str, of: Handle) {
        self.tell_if(true, kind, event_type, of);
    }

    /// The same where the API's version has that event.
    pub(super) fn tell_if(&mut self, has: bool, kind: EventKind, event_type: &'static str, of: Handle) {
        let id = self.draw_id("evt_");
        let request = self.draw_id("req_");
        let before = std::mem::take(&mut self.objects[of.0].before);
        if !has || !self.options.kinds.contains(&kind) {
            return;
        }
        let is_wanted = match self.wanted {
            Wanted::All => true,
            Wanted::Only(nth) => usize::try_from(nth).is_ok_and(|nth| nth == self.events.len()),
            Wanted::Heads => false,
        };
        let body =
            if is_wanted { self.render(&id, &request, event_type, of, before).into() } else { bytes::Bytes::new() };
        self.events.push(StripeEvent { id, event_type, created: self.at, body });
    }

    fn render(&self, id: &str, request: &str, event_type: &str, of: Handle, before: Map<String, Value>) -> String {
        let mut data = json!({ "object": self.objects[of.0].now });
        let tells_before = event_type.ends_with(".updated") || event_type == "charge.refunded";
        if tells_before && let Some(data) = data.as_object_mut() {
            data.insert("previous_attributes".into(), Value::Object(before));
        }
        json!({
            "id": id,
            "object": "event",
            "api_version": self.options.shape.api_version(),
            "created": self.at,
            "data": data,
            "livemode": self.options.livemode,
            "pending_webhooks": 1,
            "request": { "id": request, "idempotency_key": null },
            "type": event_type,
        })
        .to_string()
    }
}
