//! A record: its times and its body, rendered once when it is written and answered as it is from then on. The body is the only copy of
//! its fields; an update reads them back from it.

use bytes::Bytes;

use crate::schema::{Document, Fields, Resource, render_instant};

/// The number behind a record's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(pub(super) u64);

impl RecordId {
    /// Reads an id of `resource`; `None` if none of its records can have this id.
    pub fn parse(resource: Resource, text: &str) -> Option<Self> {
        let digits = text.strip_prefix(resource.id_prefix())?;
        let is_ours = digits.len() == 16 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_ours.then(|| u64::from_str_radix(digits, 16).ok().map(Self))?
    }

    /// The id as callers see it. Of fixed length, so that the order of texts is the order of numbers.
    pub fn render(self, resource: Resource) -> String {
        format!("{}{:016x}", resource.id_prefix(), self.0)
    }

    /// The bare number, for cursors.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The id of that number.
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }
}

/// One record, cheap to clone.
#[derive(Debug, Clone)]
pub struct Record {
    /// `createdAt`, in milliseconds since 1970.
    pub created_ms: i64,
    /// `updatedAt`, in milliseconds since 1970.
    pub updated_ms: i64,
    /// The JSON text that FlashERP answers for it.
    pub body: Bytes,
}

impl Record {
    pub(super) fn render(resource: Resource, id: RecordId, fields: &Fields, created_ms: i64, updated_ms: i64) -> Self {
        let mut body = String::with_capacity(512);
        body.push('{');
        if resource.is_readable() {
            body.push_str(&format!("\"id\":\"{}\",", id.render(resource)));
        }
        for (nth, (name, json)) in fields.iter(resource).enumerate() {
            if nth > 0 {
                body.push(',');
            }
            body.push_str(&format!("\"{name}\":{json}"));
        }
        if resource.is_readable() {
            let (created, updated) = (render_instant(created_ms), render_instant(updated_ms));
            body.push_str(&format!(",\"createdAt\":\"{created}\",\"updatedAt\":\"{updated}\""));
        }
        body.push('}');
        body.shrink_to_fit();
        Self { created_ms, updated_ms, body: body.into() }
    }

    /// Its fields, read back from its body.
    pub fn fields(&self, resource: Resource) -> Fields {
        let document = Document::parse(&self.body).expect("the body was rendered here as one object");
        Fields::of_record(resource, &document)
    }
}
