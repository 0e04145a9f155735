//! One collection: records in the order of (createdAt, id), findable by id and by what they are looked up by. References are not unique;
//! which are held by several records is kept up to date, because "no doubles" is what the sandbox's users ask most.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound,
};

use super::{Record, RecordId};

/// Records of one type.
#[derive(Debug, Default)]
pub struct Collection {
    records: BTreeMap<RecordId, Record>,
    by_key: HashMap<Box<str>, Vec<RecordId>>,
    doubled: BTreeSet<Box<str>>,
}

/// A reference that several records carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// The reference.
    pub key: String,
    /// Its records, oldest first.
    pub ids: Vec<RecordId>,
}

impl Collection {
    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many references are carried by more than one record.
    pub fn doubled(&self) -> usize {
        self.doubled.len()
    }

    /// A record by its id.
    pub fn get(&self, id: RecordId) -> Option<&Record> {
        self.records.get(&id)
    }

    /// The records with that reference, oldest first.
    pub fn by_key(&self, key: &str) -> &[RecordId] {
        self.by_key.get(key).map_or(&[], Vec::as_slice)
    }

    /// The records after `after`, or all, in order.
    pub fn after(&self, after: Option<RecordId>) -> impl Iterator<Item = (RecordId, &Record)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.records.range((from, Bound::Unbounded)).map(|(id, record)| (*id, record))
    }

    /// The first and the last record's id.
    pub fn ends(&self) -> Option<(RecordId, RecordId)> {
        Some((*self.records.first_key_value()?.0, *self.records.last_key_value()?.0))
    }

    /// Every reference that more than one record carries.
    pub fn duplicates(&self) -> Vec<Duplicate> {
        self.doubled.iter().map(|key| Duplicate { key: key.to_string(), ids: self.by_key(key).to_vec() }).collect()
    }

    pub(super) fn insert(&mut self, id: RecordId, key: String, record: Record) {
        self.records.insert(id, record);
        self.file(id, key);
    }

    pub(super) fn replace(&mut self, id: RecordId, old_key: &str, key: String, record: Record) {
        self.records.insert(id, record);
        if old_key != key {
            self.unfile(id, old_key);
            self.file(id, key);
        }
    }

    pub(super) fn remove(&mut self, id: RecordId, key: &str) -> Option<Record> {
        self.unfile(id, key);
        self.records.remove(&id)
    }

    fn file(&mut self, id: RecordId, key: String) {
        let key: Box<str> = key.into();
        let ids = self.by_key.entry(key.clone()).or_default();
        ids.push(id);
        ids.sort_unstable();
        if ids.len() > 1 {
            self.doubled.insert(key);
        }
    }

    fn unfile(&mut self, id: RecordId, key: &str) {
        if let Some(ids) = self.by_key.get_mut(key) {
            ids.retain(|known| *known != id);
            if ids.len() < 2 {
                self.doubled.remove(key);
            }
            if ids.is_empty() {
                self.by_key.remove(key);
            }
        }
    }
}
