//! What a sync would do, as a pure function of what is wanted, known and held. The worker's `push` does the same step by step, with calls in
//! between; a test of the worker's holds the two together.

use domain::EntityType;
use domain::mapping::{Base, Fields, Leftover, Record, before_cancelling, diff, diff_against_record};
use serde::Serialize;

/// What a sync would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing: both sides are in step, or FlashERP holds what is wanted.
    Nothing,
    /// POST.
    Create,
    /// PUT of the request.
    Update,
    /// PUT of the request, if it holds anything, then DELETE, which cancels the subscription.
    Cancel,
    /// It can't be told to FlashERP as it is.
    Fail,
}

/// What the sync row knows.
pub(super) struct Known<'a> {
    /// Whether a target is known.
    pub(super) target: bool,
    /// Whether it is (still) there.
    pub(super) target_is_there: bool,
    pub(super) base: &'a Base,
    /// Whether it is unknown what became of the last write.
    pub(super) unknown: bool,
    /// Whether it is looked up before it is made.
    pub(super) is_looked_up: bool,
}

/// What would be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) action: Action,
    /// What is sent.
    pub(super) request: Fields,
    /// Whether a record is taken over that FlashERP holds under our reference.
    pub(super) adopts: bool,
}

pub(super) fn plan(kind: EntityType, wanted: &Fields, known: &Known<'_>, held: Option<&Record>) -> Planned {
    if kind == EntityType::FinancialReport {
        return report(wanted, known);
    }
    let (difference, adopts) = match held {
        Some(record) if known.unknown => (diff_against_record(wanted, record, Leftover::Clear), !known.target),
        Some(_) if known.target_is_there => (diff(wanted, known.base), false),
        Some(record) if known.target || known.is_looked_up => {
            (diff_against_record(wanted, record, Leftover::Keep), true)
        }
        Some(_) | None => return Planned { action: Action::Create, request: wanted.clone(), adopts: false },
    };
    let cancelled = if kind == EntityType::Subscription { before_cancelling(&difference) } else { None };
    let (action, request) = match cancelled {
        Some(rest) => (Action::Cancel, rest),
        None if difference.is_empty() => (Action::Nothing, difference),
        None => (Action::Update, difference),
    };
    Planned { action, request, adopts }
}

/// A report is written whole, or not at all.
fn report(wanted: &Fields, known: &Known<'_>) -> Planned {
    let action = match known.base.is_empty() {
        _ if !known.unknown && diff(wanted, known.base).is_empty() => Action::Nothing,
        true => Action::Create,
        false => Action::Update,
    };
    let request = if action == Action::Nothing { Fields::new() } else { wanted.clone() };
    Planned { action, request, adopts: false }
}
