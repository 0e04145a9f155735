//! The words that tables, events and API share. Each equals the label of its Postgres enum.

pub use crate::labels::UnknownLabel;
use crate::labels::labels;

labels! {
    /// Where a record comes from.
    pub enum SourceSystem {
        /// UpCoach, and Stripe through it.
        Upcoach => "upcoach",
        /// FlashERP.
        Flasherp => "flasherp",
    }
}

labels! {
    /// What is kept in step.
    pub enum EntityType {
        /// `upcoach.transactions`, FlashERP's `/transactions`.
        Transaction => "transaction",
        /// `upcoach.subscriptions`, FlashERP's `/subscriptions`.
        Subscription => "subscription",
        /// `upcoach.users`, FlashERP's `/customers`.
        Customer => "customer",
        /// `upcoach.invoices`, FlashERP's `/invoices`.
        Invoice => "invoice",
        /// `scheduling.reports`, FlashERP's `/metrics`.
        FinancialReport => "financial_report",
    }
}

labels! {
    /// Where a record's sync stands.
    pub enum SyncStatus {
        /// Asked for, not yet tried (or put back).
        Pending => "pending",
        /// Held by a worker's lease.
        Syncing => "syncing",
        /// FlashERP holds the newest state.
        Synced => "synced",
        /// The last attempt failed. With a next time it goes on by itself, without one it waits for a hand.
        Failed => "failed",
        /// Left out, by hand or by scope.
        Skipped => "skipped",
    }
}

labels! {
    /// Whether we know what FlashERP made of the last write.
    pub enum Outcome {
        /// It took effect, or it did not: we were told, or it was never sent.
        Known => "known",
        /// It may or may not have taken effect; settled before anything is written.
        Unknown => "unknown",
    }
}

labels! {
    /// Why a sync was asked for.
    pub enum Origin {
        /// A mapped column changed in UpCoach.
        Change => "change",
        /// A scheduled job.
        Job => "job",
        /// A person, through the admin API.
        Manual => "manual",
        /// Reconciliation mends a difference.
        Heal => "heal",
        /// A full sync or bulk action.
        Batch => "batch",
        /// Taking over what FlashERP already holds.
        Adopt => "adopt",
    }
}

labels! {
    /// In which way both sides differ, as a reconciliation found it.
    pub enum FindingClass {
        /// FlashERP does not hold it, though its sync says so, or was never asked for.
        MissingInFlasherp => "missing_in_flasherp",
        /// UpCoach has no record that it could be.
        MissingInUpcoach => "missing_in_upcoach",
        /// A field differs.
        Mismatch => "mismatch",
        /// FlashERP holds the same record more than once.
        DuplicateInFlasherp => "duplicate_in_flasherp",
        /// A sync row whose record is gone from UpCoach.
        OrphanedSync => "orphaned_sync",
        /// It differs, and its sync is yet to be done.
        PendingSync => "pending_sync",
        /// It differs, and its sync has failed.
        FailedSync => "failed_sync",
        /// It differs, and its sync was left out.
        SkippedSync => "skipped_sync",
        /// It differs, and it is not known what became of its last write.
        UnknownSync => "unknown_sync",
    }
}

labels! {
    /// What was decided on a finding.
    pub enum Decision {
        /// Nothing yet.
        Open => "open",
        /// Its record was asked to be synced.
        Healing => "healing",
        /// That sync has succeeded.
        Healed => "healed",
        /// Somebody says that the difference is right as it is. It stays so in later runs, as long as it is the same.
        Accepted => "accepted",
        /// Somebody does not want to see it. It stays so in later runs, as long as it is the same.
        Ignored => "ignored",
    }
}

labels! {
    /// Where a reconciliation stands.
    pub enum ReconciliationStatus {
        /// Nobody has taken it up.
        Pending => "pending",
        /// Under way.
        Running => "running",
        /// Everything in the window was compared.
        Completed => "completed",
        /// A part could not be read: nothing is said of what is missing.
        Incomplete => "incomplete",
        /// Nothing could be compared.
        Failed => "failed",
    }
}

impl FindingClass {
    /// Whether a sync of UpCoach's record mends it.
    #[must_use]
    pub const fn is_healable(self) -> bool {
        match self {
            Self::MissingInFlasherp | Self::Mismatch | Self::PendingSync | Self::FailedSync | Self::UnknownSync => true,
            // Nothing of ours to send; nothing is deleted in FlashERP by itself; what a hand skipped only a hand takes back.
            Self::MissingInUpcoach | Self::DuplicateInFlasherp | Self::OrphanedSync | Self::SkippedSync => false,
        }
    }

    /// Whether a run that was asked to does it by itself.
    #[must_use]
    pub const fn is_healed_by_itself(self) -> bool {
        matches!(self, Self::MissingInFlasherp | Self::Mismatch)
    }
}

labels! {
    /// What a batch does.
    pub enum BatchKind {
        /// Asks for all records of the types named.
        FullSync => "full_sync",
        /// Queues failed syncs again, with their retries back.
        BulkRetry => "bulk_retry",
        /// Takes syncs that are not done out of the way.
        BulkSkip => "bulk_skip",
        /// Records that somebody brought in.
        Import => "import",
    }
}

labels! {
    /// Where a batch stands.
    pub enum BatchStatus {
        /// Nothing was asked for yet.
        Pending => "pending",
        /// Under way.
        Running => "running",
        /// Everything has its answer, good or bad.
        Completed => "completed",
        /// It could not be carried out.
        Failed => "failed",
        /// Ended by hand.
        Cancelled => "cancelled",
    }
}

impl Origin {
    /// Rank among requests folded into one row: the higher rules. A hand beats a heal, that beats a change, that beats the routine ones.
    #[must_use]
    pub const fn strength(self) -> u8 {
        match self {
            Self::Manual => 5,
            Self::Heal => 4,
            Self::Change => 3,
            Self::Batch => 2,
            Self::Job => 1,
            Self::Adopt => 0,
        }
    }

    /// The stronger of two.
    #[must_use]
    pub const fn stronger(a: Self, b: Self) -> Self {
        if b.strength() > a.strength() { b } else { a }
    }

    /// Whether the retries start at 0 again: a new state, or a person, deserves all of them.
    #[must_use]
    pub const fn restarts_retries(self) -> bool {
        match self {
            Self::Change | Self::Manual | Self::Heal => true,
            Self::Job | Self::Batch | Self::Adopt => false,
        }
    }

    /// Whether a row that failed for good becomes pending again.
    #[must_use]
    pub const fn revives_failed(self) -> bool {
        match self {
            Self::Change | Self::Manual | Self::Heal => true,
            Self::Job | Self::Batch | Self::Adopt => false,
        }
    }

    /// Whether a row that a person skipped becomes pending again: only a person takes back what a person said.
    #[must_use]
    pub const fn unskips(self) -> bool {
        match self {
            Self::Manual => true,
            Self::Change | Self::Heal | Self::Job | Self::Batch | Self::Adopt => false,
        }
    }

    /// Whether it goes ahead while automatic sync is switched off.
    #[must_use]
    pub const fn passes_auto_sync_off(self) -> bool {
        match self {
            Self::Manual | Self::Heal => true,
            Self::Change | Self::Job | Self::Batch | Self::Adopt => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn labels_are_what_the_database_calls_them() {
        let names: Vec<&str> = EntityType::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names, ["transaction", "subscription", "customer", "invoice", "financial_report"]);
        for kind in EntityType::ALL {
            assert_eq!(kind.as_str().parse::<EntityType>().as_ref(), Ok(kind));
            let json = serde_json::to_string(kind).expect("a label serialises");
            assert_eq!(json, format!("\"{kind}\""));
            assert_eq!(serde_json::from_str::<EntityType>(&json).expect("and comes back"), *kind);
        }
        assert_eq!(
            "Transaction".parse::<EntityType>().map_err(|e| e.to_string()),
            Err("\"Transaction\" is not a EntityType".to_owned())
        );
    }

    #[rstest]
    #[case(Origin::Change, Origin::Job, Origin::Change)]
    #[case(Origin::Job, Origin::Manual, Origin::Manual)]
    #[case(Origin::Heal, Origin::Change, Origin::Heal)]
    #[case(Origin::Batch, Origin::Adopt, Origin::Batch)]
    fn the_stronger_of_two_requests_rules_in_either_order(#[case] a: Origin, #[case] b: Origin, #[case] wins: Origin) {
        assert_eq!(Origin::stronger(a, b), wins);
        assert_eq!(Origin::stronger(b, a), wins);
    }

    #[test]
    fn no_two_origins_are_equally_strong() {
        let mut ranks: Vec<u8> = Origin::ALL.iter().map(|origin| origin.strength()).collect();
        ranks.sort_unstable();
        assert_eq!(ranks, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn jobs_and_batches_leave_exhausted_and_skipped_rows_alone_and_changes_do_not_unskip() {
        for origin in [Origin::Job, Origin::Batch] {
            assert!(!origin.restarts_retries() && !origin.revives_failed() && !origin.unskips());
        }
        assert!(Origin::Change.restarts_retries() && Origin::Change.revives_failed() && !Origin::Change.unskips());
        assert!(Origin::Manual.restarts_retries() && Origin::Manual.revives_failed() && Origin::Manual.unskips());
    }
}
