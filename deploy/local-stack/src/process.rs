//! Which process is meant, for sure: its pid together with the time it was started, so that a pid that the
//! kernel has given to somebody else in the meantime is never signalled.

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// A process, by pid and start time (clock ticks since boot, field 22 of `/proc/<pid>/stat`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// The pid.
    pub pid: u32,
    /// Clock ticks since boot at which it was started.
    pub started: u64,
}

impl ProcessId {
    /// The process that has this pid now, if there is one that has not ended.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = Stat::read(pid)?;
        (!stat.ended).then_some(Self { pid, started: stat.started })
    }

    /// Is it still running (a process that ended and was not yet waited for is not)?
    pub fn is_alive(self) -> bool {
        Stat::read(self.pid).is_some_and(|stat| stat.started == self.started && !stat.ended)
    }

    /// Sends a signal to it, and to nobody else. Returns false when it is gone.
    pub fn signal(self, signal: Signal) -> bool {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else { return false };
        // The handle pins the process: looking at the start time after opening it leaves no gap for a new owner of the pid.
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
        self.is_alive() && pidfd_send_signal(handle, signal).is_ok()
    }

    /// The processes that it started and that still run.
    pub fn children(self) -> Vec<Self> {
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
            .filter_map(|pid| Some((pid, Stat::read(pid)?)))
            .filter(|(_, stat)| stat.parent == self.pid && !stat.ended)
            .map(|(pid, stat)| Self { pid, started: stat.started })
            .collect()
    }
}

/// What `/proc/<pid>/stat` says.
struct Stat {
    parent: u32,
    started: u64,
    ended: bool,
}

impl Stat {
    fn read(pid: u32) -> Option<Self> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is the command in parentheses and may itself hold spaces and parentheses.
        let (_, rest) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        Some(Self {
            ended: matches!(*fields.first()?, "Z" | "X"),
            parent: fields.get(1)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_has_a_start_time() {
        let me = ProcessId::of(std::process::id()).expect("this process runs");
        assert!(me.is_alive());
        assert!(me.started > 0);
    }

    #[test]
    fn a_pid_with_another_start_time_is_not_the_process_and_gets_no_signal() {
        let me = ProcessId::of(std::process::id()).expect("this process runs");
        let other = ProcessId { started: me.started + 1, ..me };
        assert!(!other.is_alive());
        assert!(!other.signal(Signal::TERM), "the signal would have ended this test");
    }

    #[test]
    fn a_child_that_ended_without_being_waited_for_counts_as_gone() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep exists");
        let process = ProcessId::of(child.id()).expect("the child runs");
        let me = ProcessId::of(std::process::id()).expect("this process runs");
        assert!(me.children().contains(&process));
        assert!(process.signal(Signal::KILL));
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while process.is_alive() {
            assert!(std::time::Instant::now() < deadline, "a killed child is gone soon");
            std::thread::yield_now();
        }
        child.wait().expect("the child was never waited for");
        assert!(!process.signal(Signal::KILL));
    }
}
