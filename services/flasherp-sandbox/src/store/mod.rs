//! What this FlashERP holds: its collections and the idempotency keys it remembers. In memory: what is to survive the process is written by
//! `snapshot`.
//!
//! One lock guards all of it (`Sandbox::store`), since a write reads a customer, checks a key and files a record as one step. The sections
//! under it do no I/O and render only the one record they write.

mod collection;
mod copy;
mod idempotency;
mod record;

pub use collection::Collection;
pub use copy::{CopiedKey, CopiedRecord, Copy};
pub use idempotency::{Fingerprint, Idempotency, Known};
pub use record::{Record, RecordId};

use crate::schema::{Fields, Resource};

/// All collections, and the counter that their ids come from.
#[derive(Debug)]
pub struct Store {
    collections: [Collection; Resource::ALL.len()],
    /// The keys that were answered with a 2xx within the last 24 h.
    pub idempotency: Idempotency,
    next_id: u64,
    newest_ms: i64,
    changes: u64,
}

impl Store {
    /// An empty store. Ids are counted up from the time it starts, so that a restarted sandbox never gives out an id again that a client
    /// may remember from the last run.
    pub fn starting_at(now_ms: i64) -> Self {
        Self {
            collections: Resource::ALL.map(|_| Collection::default()),
            idempotency: Idempotency::default(),
            next_id: u64::try_from(now_ms).unwrap_or(0) << 20,
            newest_ms: i64::MIN,
            changes: 0,
        }
    }

    /// Forgets all records and keys. Ids go on from where they were.
    pub fn clear(&mut self) {
        *self = Self { next_id: self.next_id, changes: self.changes + 1, ..Self::starting_at(0) };
    }

    /// One collection.
    pub fn of(&self, resource: Resource) -> &Collection {
        let [customers, transactions, subscriptions, invoices, metrics] = &self.collections;
        match resource {
            Resource::Customers => customers,
            Resource::Transactions => transactions,
            Resource::Subscriptions => subscriptions,
            Resource::Invoices => invoices,
            Resource::Metrics => metrics,
        }
    }

    /// Grows with every change.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    fn of_mut(&mut self, resource: Resource) -> &mut Collection {
        self.changes += 1;
        let [customers, transactions, subscriptions, invoices, metrics] = &mut self.collections;
        match resource {
            Resource::Customers => customers,
            Resource::Transactions => transactions,
            Resource::Subscriptions => subscriptions,
            Resource::Invoices => invoices,
            Resource::Metrics => metrics,
        }
    }

    /// Whether a customer has this id.
    pub fn knows_customer(&self, id: &str) -> bool {
        RecordId::parse(Resource::Customers, id).is_some_and(|id| self.of(Resource::Customers).get(id).is_some())
    }

    /// Files a new record. Its `createdAt` is never before that of a record filed earlier, so that the order of ids is the order of
    /// (createdAt, id), and a list that is being paged never gets a record behind its cursor.
    pub fn insert(&mut self, resource: Resource, fields: &Fields, now_ms: i64) -> (RecordId, Record) {
        let created_ms = now_ms.max(self.newest_ms);
        self.newest_ms = created_ms;
        let id = RecordId(self.next_id);
        self.next_id += 1;
        let record = Record::render(resource, id, fields, created_ms, created_ms);
        self.of_mut(resource).insert(id, record_key(resource, fields), record.clone());
        (id, record)
    }

    /// Replaces a record's fields; `updatedAt` always grows. `None` if there is no such record.
    pub fn replace(&mut self, resource: Resource, id: RecordId, fields: &Fields, now_ms: i64) -> Option<Record> {
        let old = self.of(resource).get(id)?;
        let updated_ms = now_ms.max(old.updated_ms + 1);
        let old_key = record_key(resource, &old.fields(resource));
        let record = Record::render(resource, id, fields, old.created_ms, updated_ms);
        self.of_mut(resource).replace(id, &old_key, record_key(resource, fields), record.clone());
        Some(record)
    }

    /// Takes a record away, as nobody can through FlashERP's API. `None` if there is none.
    pub fn remove(&mut self, resource: Resource, id: RecordId) -> Option<Record> {
        let key = record_key(resource, &self.of(resource).get(id)?.fields(resource));
        self.of_mut(resource).remove(id, &key)
    }
}

/// What a record is looked up by: its `upcoachReference`, or a report's period.
pub fn record_key(resource: Resource, fields: &Fields) -> String {
    let parts: Vec<_> =
        resource.key_fields().iter().map(|name| fields.text(resource, name).unwrap_or_default()).collect();
    parts.join("|")
}
