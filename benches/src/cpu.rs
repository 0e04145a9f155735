//! Processor time of processes, which says what something costs also on a machine that is busy with other things.

use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Pid, setpriority_process};

/// The lowest priority there is.
const LAST: i32 = 19;

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

/// From now on a process, which has a session of its own, gets processor time only when nothing else wants it: what it takes from others is then
/// close to what it would take from another machine.
///
/// # Errors
/// It is not there any more.
pub fn yield_to_all(pid: u32) -> anyhow::Result<()> {
    let root = format!("/proc/{pid}");
    for thread in std::fs::read_dir(format!("{root}/task")).with_context(|| format!("process {pid} is not there"))? {
        let name = thread?.file_name();
        let thread = name.to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        setpriority_process(thread, LAST).with_context(|| format!("the priority of a thread of process {pid}"))?;
    }
    // Where sessions are scheduled against each other, the session has a priority of its own.
    match std::fs::write(format!("{root}/autogroup"), LAST.to_string()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("the priority of the session of process {pid}"))
        }
        _ => Ok(()),
    }
}
