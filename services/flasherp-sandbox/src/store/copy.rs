//! All that a store holds, at one moment, for the snapshot. Bodies are shared, not copied.

use bytes::Bytes;

use super::{Fingerprint, Idempotency, Record, RecordId, Store, record_key};
use crate::schema::Resource;

/// A store's contents.
#[derive(Debug, Default)]
pub struct Copy {
    /// The number that the next id is made from.
    pub next_id: u64,
    /// The newest `createdAt`.
    pub newest_ms: i64,
    /// Every record, in the order of its collection.
    pub records: Vec<CopiedRecord>,
    /// Every remembered idempotency key, oldest first.
    pub keys: Vec<CopiedKey>,
}

/// A record.
#[derive(Debug)]
pub struct CopiedRecord {
    /// Its collection.
    pub resource: Resource,
    /// The number behind its id.
    pub id: u64,
    /// `createdAt`, in milliseconds since 1970.
    pub created_ms: i64,
    /// `updatedAt`, in milliseconds since 1970.
    pub updated_ms: i64,
    /// Its JSON.
    pub body: Bytes,
}

/// An idempotency key and what it was answered.
#[derive(Debug)]
pub struct CopiedKey {
    /// The key.
    pub key: String,
    /// Of the request.
    pub fingerprint: [u8; 32],
    /// The answer's status.
    pub status: u16,
    /// The answer.
    pub body: Bytes,
    /// When it was given, in milliseconds since 1970.
    pub at_ms: i64,
}

impl Store {
    /// Its contents.
    pub fn copy(&self) -> Copy {
        let records = Resource::ALL.into_iter().flat_map(|resource| {
            self.of(resource).after(None).map(move |(id, record)| CopiedRecord {
                resource,
                id: id.number(),
                created_ms: record.created_ms,
                updated_ms: record.updated_ms,
                body: record.body.clone(),
            })
        });
        Copy {
            next_id: self.next_id,
            newest_ms: self.newest_ms,
            records: records.collect(),
            keys: self.idempotency.copy(),
        }
    }

    /// Takes over what a copy holds, in place of all that is here. Ids go on from the later of the two.
    pub fn restore(&mut self, copy: Copy) {
        *self = Self { next_id: self.next_id.max(copy.next_id), newest_ms: copy.newest_ms, ..Self::starting_at(0) };
        for CopiedRecord { resource, id, created_ms, updated_ms, body } in copy.records {
            let record = Record { created_ms, updated_ms, body };
            let key = record_key(resource, &record.fields(resource));
            self.of_mut(resource).insert(RecordId::from_number(id), key, record);
        }
        self.idempotency = Idempotency::default();
        for CopiedKey { key, fingerprint, status, body, at_ms } in copy.keys {
            self.idempotency.remember(&key, Fingerprint::from_bytes(fingerprint), status, body, at_ms);
        }
    }
}
