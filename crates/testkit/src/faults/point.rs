//! The points in the programs at which they can be told to die.

use super::Process;

/// A point in a program at which it can be told to die (`service::failpoint!`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point {
    /// Whose point it is.
    pub process: Process,
    /// Its name in the program.
    pub name: &'static str,
}

impl Point {
    /// Those that every payment passes on its way, in the order in which it does, and then those that every job and every reconciliation passes: a
    /// storm in which these run has no need to bring about what leads there.
    pub const ON_THE_WAY: [Self; 31] = [
        Self { process: Process::Ingress, name: "ingress.before_commit" },
        Self { process: Process::Ingress, name: "ingress.after_commit" },
        Self { process: Process::Worker, name: "inbound.before_commit" },
        Self { process: Process::Worker, name: "inbound.after_commit" },
        Self { process: Process::Worker, name: "outbound.after_claim" },
        Self { process: Process::Worker, name: "outbound.before_send" },
        Self { process: Process::Worker, name: "outbound.after_send" },
        Self { process: Process::Worker, name: "outbound.finish_before_commit" },
        Self { process: Process::Worker, name: "outbound.finish_after_commit" },
        Self { process: Process::Worker, name: "reads.before_commit" },
        Self { process: Process::Worker, name: "reads.after_commit" },
        Self { process: Process::Scheduler, name: "scheduler.before_fire" },
        Self { process: Process::Scheduler, name: "scheduler.after_fire" },
        Self { process: Process::Scheduler, name: "pull.fetched" },
        Self { process: Process::Scheduler, name: "pull.stored" },
        Self { process: Process::Scheduler, name: "pull.before_cursor" },
        Self { process: Process::Scheduler, name: "pull.after_cursor" },
        Self { process: Process::Scheduler, name: "scheduler.before_health" },
        Self { process: Process::Scheduler, name: "scheduler.after_health" },
        Self { process: Process::Scheduler, name: "scheduler.before_seal" },
        Self { process: Process::Scheduler, name: "scheduler.after_seal" },
        Self { process: Process::Scheduler, name: "scheduler.reconciliation_asked" },
        Self { process: Process::Scheduler, name: "scheduler.before_finish" },
        Self { process: Process::Scheduler, name: "scheduler.after_finish" },
        Self { process: Process::Reconciler, name: "reconciler.page_fetched" },
        Self { process: Process::Reconciler, name: "reconciler.page_stored" },
        Self { process: Process::Reconciler, name: "reconciler.before_compared" },
        Self { process: Process::Reconciler, name: "reconciler.compared" },
        Self { process: Process::Reconciler, name: "reconciler.batch_verified" },
        Self { process: Process::Reconciler, name: "reconciler.before_finish" },
        Self { process: Process::Reconciler, name: "reconciler.after_finish" },
    ];
    /// Those that only something special leads to.
    pub const OFF_THE_WAY: [Self; 8] = [
        Self { process: Process::Ingress, name: "ingress.before_secret_use" },
        Self { process: Process::Ingress, name: "ingress.after_secret_use" },
        Self { process: Process::Worker, name: "inbound.pull_before_commit" },
        Self { process: Process::Worker, name: "inbound.pull_after_commit" },
        Self { process: Process::Worker, name: "outbound.customer_checked" },
        Self { process: Process::Worker, name: "outbound.gate_changed" },
        Self { process: Process::Worker, name: "outbound.report_before_send" },
        Self { process: Process::Worker, name: "outbound.report_after_send" },
    ];

    /// All of them, as they stand in the programs' source.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ON_THE_WAY.into_iter().chain(Self::OFF_THE_WAY)
    }
}
