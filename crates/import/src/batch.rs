//! Records that are written in one transaction.

use std::collections::BTreeSet;

use domain::EntityType;
use uuid::Uuid;

use crate::error::LineError;
use crate::reader::{Item, Place};
use crate::record::Record;
use crate::{BATCH_RECORDS, KEPT_ERRORS, TYPES};

/// Bytes of records in one batch, after which it is written although it could hold more records.
const BATCH_BYTES: usize = 1024 * 1024;

/// A batch being filled.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    records: Vec<(Place, Record)>,
    keys: BTreeSet<(&'static str, Uuid)>,
    rejected: u64,
    /// The first of these.
    errors: Vec<LineError>,
    bytes: usize,
}

impl Batch {
    /// Whether a later line is about a record that this batch has already: then the batch has to be written first.
    pub(crate) fn has(&self, item: &Item) -> bool {
        item.key().is_some_and(|(kind, id)| self.keys.contains(&(kind.as_str(), id)))
    }

    pub(crate) fn add(&mut self, place: Place, record: Record) {
        self.bytes += place.raw.len();
        self.keys.insert((record.kind.as_str(), record.id));
        self.records.push((place, record));
    }

    /// Counts a line that is not written.
    pub(crate) fn reject(&mut self, error: &LineError) {
        self.rejected += 1;
        if self.errors.len() < KEPT_ERRORS {
            self.errors.push(error.clipped());
        }
    }

    /// The first of the lines that are not written.
    pub(crate) fn errors(&self) -> &[LineError] {
        &self.errors
    }

    pub(crate) fn rejected(&self) -> u64 {
        self.rejected
    }

    /// All lines that it stands for.
    pub(crate) fn lines(&self) -> u64 {
        self.rejected + self.records.len() as u64
    }

    pub(crate) fn is_full(&self) -> bool {
        self.lines() >= BATCH_RECORDS as u64 || self.bytes >= BATCH_BYTES
    }

    /// Its records by type, in the order in which the tables are written: what others refer to comes first.
    pub(crate) fn by_type(&self) -> impl Iterator<Item = (EntityType, Vec<&(Place, Record)>)> {
        TYPES.into_iter().filter_map(|kind| {
            let records: Vec<_> = self.records.iter().filter(|(_, record)| record.kind == kind).collect();
            (!records.is_empty()).then_some((kind, records))
        })
    }
}
