//! Processor time of processes, which says what something costs also on a machine that is busy with other things.

use std::time::Duration;

/// User and system time that a process and the children that have ended have used up to now, to a hundredth of a second.
#[must_use]
pub fn used_by(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name, in brackets, may hold anything.
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace()).into_iter().flatten();
    let ticks: u64 = fields.skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// The same of a process and all that it has started and that still run: a PostgreSQL server by its postmaster.
#[must_use]
pub fn used_by_family(pid: u32) -> Duration {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    used_by(pid) + children.map(used_by).sum::<Duration>()
}
