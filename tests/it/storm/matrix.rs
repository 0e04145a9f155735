//! What went wrong, how often and how much of it was felt: the table at the end of a run.

use std::collections::BTreeMap;
use std::fmt;

use testkit::faults::Fault;

use super::measure::Measure;

/// A row for each fault.
#[derive(Debug, Default)]
pub(crate) struct Matrix {
    /// Events that no webhook told of, fetched all the same.
    pub(super) fetched: usize,
    rows: BTreeMap<Fault, Row>,
}

#[derive(Debug, Default)]
struct Row {
    times: u64,
    attempts: u64,
    refused: u64,
    in_hand: u64,
    felt: u64,
    unit: &'static str,
}

impl Matrix {
    /// A fault was on between two measures; so many syncs were in the workers' hands when it began.
    pub(super) fn add(&mut self, fault: Fault, in_hand: u64, before: Measure, after: Measure) {
        let row = self.rows.entry(fault).or_default();
        row.times += 1;
        row.attempts += after.attempts - before.attempts;
        row.refused += after.refused - before.refused;
        row.in_hand += in_hand;
        row.felt += after.felt.saturating_sub(before.felt);
        row.unit = after.unit;
    }

    /// Whether it came and was felt.
    pub(super) fn has_felt(&self, fault: Fault) -> bool {
        self.rows.get(&fault).is_some_and(|row| row.felt > 0)
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<52} {:>5} {:>7} {:>8} {:>8}  felt", "fault", "times", "tries", "refused", "in hand")?;
        for (fault, Row { times, attempts, refused, in_hand, felt, unit }) in &self.rows {
            let name = fault.to_string();
            writeln!(f, "{name:<52} {times:>5} {attempts:>7} {refused:>8} {in_hand:>8}  {felt} {unit}")?;
        }
        let all = |count: fn(&Row) -> u64| self.rows.values().map(count).sum::<u64>();
        let name = format!("{} faults", self.rows.len());
        let (times, tries) = (all(|row| row.times), all(|row| row.attempts));
        writeln!(f, "{name:<52} {times:>5} {tries:>7} {:>8} {:>8}", all(|row| row.refused), all(|row| row.in_hand))?;
        writeln!(f, "{} events that no webhook told of were fetched", self.fetched)
    }
}
