//! What went wrong, how often and how much of it was felt: the table at the end of a run.

use std::collections::BTreeMap;
use std::fmt;

use testkit::faults::Fault;

/// Counts at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measure {
    pub(super) attempts: u64,
    pub(super) accepted: u64,
    /// What the fault itself leaves to count, and its unit.
    pub(super) felt: Option<(u64, &'static str)>,
}

/// A row for each fault.
#[derive(Debug, Default)]
pub(crate) struct Matrix {
    rows: BTreeMap<Fault, Row>,
}

#[derive(Debug, Default)]
struct Row {
    times: u64,
    attempts: u64,
    not_accepted: u64,
    felt: u64,
    unit: &'static str,
}

impl Matrix {
    /// A fault was on between two measures.
    pub(super) fn add(&mut self, fault: Fault, before: Measure, after: Measure) {
        let row = self.rows.entry(fault).or_default();
        let attempts = after.attempts - before.attempts;
        row.times += 1;
        row.attempts += attempts;
        row.not_accepted += attempts.saturating_sub(after.accepted - before.accepted);
        if let (Some((before, _)), Some((after, unit))) = (before.felt, after.felt) {
            row.felt += after.saturating_sub(before);
            row.unit = unit;
        }
    }

    /// The faults that came.
    pub(crate) fn faults(&self) -> impl Iterator<Item = Fault> {
        self.rows.keys().copied()
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<50} {:>5} {:>7} {:>12}  felt", "fault", "times", "tries", "not accepted")?;
        for (fault, row) in &self.rows {
            let felt = if row.unit.is_empty() { String::new() } else { format!("{} {}", row.felt, row.unit) };
            let name = fault.to_string();
            writeln!(f, "{name:<50} {:>5} {:>7} {:>12}  {felt}", row.times, row.attempts, row.not_accepted)?;
        }
        Ok(())
    }
}
