//! What a suspect turns out to be, once both sides were read again. Pure.
//!
//! A difference of a record whose sync is not done is of that sync's class, whatever differs: it is not "missing" that what is still to be sent has
//! not arrived.

use std::collections::BTreeMap;

use domain::mapping::{Base, Field, Fields, Marks, Record, control_amount, unlike};
use domain::{EntityType, FindingClass, FlashErpId, Money, Outcome, SyncId, SyncStatus};
use syncs::SourceRecord;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::shown::{object, text, value};

/// Why a record is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suspicion {
    /// Both sides have it, and differ.
    Pair,
    /// Only we have it.
    Ours,
    /// Only FlashERP has it.
    Theirs,
    /// FlashERP has it, and another one for the same record of ours.
    Duplicate,
    /// A sync row whose record is gone.
    Orphan,
}

impl Suspicion {
    /// As the database calls it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pair => "pair",
            Self::Ours => "ours",
            Self::Theirs => "theirs",
            Self::Duplicate => "duplicate",
            Self::Orphan => "orphan",
        }
    }

    /// By the database's name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        [Self::Pair, Self::Ours, Self::Theirs, Self::Duplicate, Self::Orphan]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// Where the sync of a record stands.
#[derive(Debug, Clone)]
pub(crate) struct Sync {
    pub(crate) id: SyncId,
    pub(crate) target: Option<FlashErpId>,
    pub(crate) status: SyncStatus,
    pub(crate) outcome: Outcome,
    /// Whether something is asked for that no attempt has answered.
    pub(crate) is_asked: bool,
    pub(crate) base: Base,
}

/// A suspect with all that was read of it.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) kind: EntityType,
    pub(crate) suspicion: Suspicion,
    pub(crate) source: Option<Uuid>,
    /// UpCoach's record as it is now; an error says why it can't be read.
    pub(crate) ours: Option<Result<SourceRecord, String>>,
    pub(crate) sync: Option<Sync>,
    /// Whether a sync of it waits to be folded, where it has no row yet.
    pub(crate) is_requested: bool,
    /// FlashERP's id of whom it depends on.
    pub(crate) customer: Option<FlashErpId>,
    /// FlashERP's record as it is now.
    pub(crate) theirs: Option<Record>,
    /// Whether the sync's own target is there, if that is another record.
    pub(crate) other_is_there: bool,
}

/// The window and the cut-off.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) from: OffsetDateTime,
    pub(crate) to: OffsetDateTime,
    pub(crate) cutoff: OffsetDateTime,
}

/// What it turned out to be.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) what: What,
    /// What each side counts for.
    pub(crate) ours: Counts,
    pub(crate) theirs: Counts,
    /// All of one class.
    pub(crate) findings: Vec<Finding>,
}

/// In short.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Nothing of it is in this run: gone, or outside of the window.
    #[default]
    Nothing,
    LeftOut,
    Matched,
    Differs(FindingClass),
}

/// Whether one side has it, and for what it counts.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) is_there: bool,
    pub(crate) money: Option<Money>,
    /// It has an amount, or ought to, which is none.
    pub(crate) is_unreadable: bool,
}

/// A finding that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) class: FindingClass,
    pub(crate) kind: EntityType,
    pub(crate) source: Option<Uuid>,
    pub(crate) sync: Option<SyncId>,
    pub(crate) target: Option<FlashErpId>,
    pub(crate) field: Option<Field>,
    /// JSON, in the very digits.
    pub(crate) ours: Option<String>,
    pub(crate) theirs: Option<String>,
    /// Ours minus theirs, in minor units.
    pub(crate) difference: BTreeMap<&'static str, i128>,
}

/// Judges.
pub(crate) fn judge(case: &Case, bounds: &Bounds) -> Verdict {
    let updated_here = case.ours.as_ref().and_then(|ours| ours.as_ref().ok()?.updated_at());
    let updated_there = case.theirs.as_ref().map(|record| record.updated_at);
    if [updated_here, updated_there].into_iter().flatten().any(|at| at >= bounds.cutoff) {
        return Verdict { what: What::LeftOut, ..Verdict::default() };
    }
    let in_window = |record: &Record| bounds.from <= record.created_at && record.created_at < bounds.to;
    match (&case.ours, &case.theirs) {
        (_, Some(theirs)) if !in_window(theirs) => Verdict::default(),
        (Some(_), theirs) if case.suspicion == Suspicion::Duplicate => match theirs {
            Some(record) => duplicate(case, record),
            None => Verdict::default(),
        },
        // It has come just now, and so has whatever is done about it.
        (Some(_), Some(_)) if case.suspicion == Suspicion::Theirs => {
            Verdict { what: What::LeftOut, ..Verdict::default() }
        }
        (None, None) if case.sync.is_some() => only_theirs(case, None, FindingClass::OrphanedSync),
        (None, None) => Verdict::default(),
        (None, Some(theirs)) if case.sync.is_some() => only_theirs(case, Some(theirs), FindingClass::OrphanedSync),
        (None, Some(theirs)) => only_theirs(case, Some(theirs), FindingClass::MissingInUpcoach),
        (Some(ours), None) => only_ours(case, ours),
        (Some(ours), Some(theirs)) => both(case, ours, theirs),
    }
}

fn finding(case: &Case, class: FindingClass, target: Option<&FlashErpId>) -> Finding {
    Finding {
        class,
        kind: case.kind,
        source: case.source,
        sync: case.sync.as_ref().map(|sync| sync.id),
        target: target.cloned(),
        field: None,
        ours: None,
        theirs: None,
        difference: BTreeMap::new(),
    }
}

/// What the record's sync says of it; none when that is done, or was never asked for.
fn class_of_sync(case: &Case) -> Option<FindingClass> {
    let Some(sync) = &case.sync else { return case.is_requested.then_some(FindingClass::PendingSync) };
    match (sync.outcome, sync.status) {
        (Outcome::Unknown, _) => Some(FindingClass::UnknownSync),
        (_, SyncStatus::Skipped) => Some(FindingClass::SkippedSync),
        (_, SyncStatus::Failed) => Some(FindingClass::FailedSync),
        (_, SyncStatus::Pending | SyncStatus::Syncing) => Some(FindingClass::PendingSync),
        (_, SyncStatus::Synced) => sync.is_asked.then_some(FindingClass::PendingSync),
    }
}

fn counts(kind: EntityType, fields: &Fields) -> Counts {
    let amount = control_amount(kind, fields);
    Counts { is_there: true, is_unreadable: matches!(amount, Some(Err(_))), money: amount.and_then(Result::ok) }
}

/// Of a record of ours that can't be told: if it counts at all, nobody knows for what.
fn our_counts(kind: EntityType, wanted: &Result<Fields, String>) -> Counts {
    counts(kind, wanted.as_ref().unwrap_or(&Fields::new()))
}

fn difference(ours: Counts, theirs: Counts) -> BTreeMap<&'static str, i128> {
    let mut difference = BTreeMap::new();
    for (money, sign) in [(ours.money, 1), (theirs.money, -1)] {
        if let Some(money) = money {
            *difference.entry(money.code()).or_default() += sign * i128::from(money.minor());
        }
    }
    difference.retain(|_, minor| *minor != 0);
    difference
}

fn only_theirs(case: &Case, theirs: Option<&Record>, class: FindingClass) -> Verdict {
    let counted = theirs.map(|record| counts(case.kind, &record.fields)).unwrap_or_default();
    let known = case.sync.as_ref().and_then(|sync| sync.target.as_ref());
    let found = Finding {
        theirs: theirs.map(|record| object(&record.fields, |_| true)),
        difference: difference(Counts::default(), counted),
        ..finding(case, class, theirs.map(|record| &record.id).or(known))
    };
    Verdict { what: What::Differs(class), ours: Counts::default(), theirs: counted, findings: vec![found] }
}

fn duplicate(case: &Case, theirs: &Record) -> Verdict {
    let class = FindingClass::DuplicateInFlasherp;
    if case.sync.as_ref().is_some_and(|sync| sync.target.as_ref() == Some(&theirs.id)) {
        // It is the one that is kept by now.
        return Verdict { what: What::LeftOut, ..Verdict::default() };
    }
    only_theirs(case, Some(theirs), class)
}

fn only_ours(case: &Case, ours: &Result<SourceRecord, String>) -> Verdict {
    let wanted = wanted(case, ours);
    let class = class_of_sync(case).unwrap_or(FindingClass::MissingInFlasherp);
    let counted = our_counts(case.kind, &wanted);
    let known = case.sync.as_ref().and_then(|sync| sync.target.as_ref());
    let found = Finding {
        ours: Some(match &wanted {
            Ok(wanted) => object(wanted, |_| true),
            Err(why) => problem(why),
        }),
        difference: difference(counted, Counts::default()),
        ..finding(case, class, known)
    };
    Verdict { what: What::Differs(class), ours: counted, theirs: Counts::default(), findings: vec![found] }
}

fn both(case: &Case, ours: &Result<SourceRecord, String>, theirs: &Record) -> Verdict {
    let known = case.sync.as_ref().and_then(|sync| sync.target.as_ref()).filter(|target| **target != theirs.id);
    if known.is_some() && case.other_is_there {
        return only_theirs(case, Some(theirs), FindingClass::DuplicateInFlasherp);
    }
    let their_counts = counts(case.kind, &theirs.fields);
    let wanted = wanted(case, ours);
    let our_counts = our_counts(case.kind, &wanted);
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(why) => {
            let class = class_of_sync(case).unwrap_or(FindingClass::FailedSync);
            let found = Finding {
                ours: Some(problem(&why)),
                theirs: Some(object(&theirs.fields, |_| true)),
                difference: difference(our_counts, their_counts),
                ..finding(case, class, Some(&theirs.id))
            };
            return Verdict {
                what: What::Differs(class),
                ours: our_counts,
                theirs: their_counts,
                findings: vec![found],
            };
        }
    };
    let nothing = Base::default();
    let base = case.sync.as_ref().map_or(&nothing, |sync| &sync.base);
    let mut fields = unlike(&wanted, &Marks::of(&theirs.fields), base);
    let bears_our_reference = ours.as_ref().is_ok_and(SourceRecord::bears_our_reference);
    fields.retain(|field| bears_our_reference || *field != Field::UpcoachReference);
    let difference = difference(our_counts, their_counts);
    let class = class_of_sync(case);
    let mut verdict = Verdict { what: What::Matched, ours: our_counts, theirs: their_counts, findings: Vec::new() };
    if let Some(known) = known {
        // What we took for the record is gone, and another stands under our reference: a sync takes it over.
        let class = class.unwrap_or(FindingClass::MissingInFlasherp);
        verdict.what = What::Differs(class);
        verdict.findings.push(Finding {
            ours: Some(text(known.as_str())),
            theirs: Some(text(theirs.id.as_str())),
            difference,
            ..finding(case, class, Some(known))
        });
    } else if let Some(class) = class.filter(|_| !fields.is_empty()) {
        verdict.what = What::Differs(class);
        let shown = |field: &Field| fields.contains(field);
        verdict.findings.push(Finding {
            ours: Some(object(&wanted, shown)),
            theirs: Some(object(&theirs.fields, shown)),
            difference,
            ..finding(case, class, Some(&theirs.id))
        });
    } else if !fields.is_empty() {
        let class = FindingClass::Mismatch;
        verdict.what = What::Differs(class);
        let bearer = bearer(&fields);
        verdict.findings.extend(fields.iter().map(|field| Finding {
            field: Some(*field),
            ours: Some(value(wanted.get(field))),
            theirs: Some(value(theirs.get(*field))),
            difference: if Some(*field) == bearer { difference.clone() } else { BTreeMap::new() },
            ..finding(case, class, Some(&theirs.id))
        }));
    }
    verdict
}

/// Of the fields that differ the one whose finding bears the money: it is counted once.
fn bearer(fields: &[Field]) -> Option<Field> {
    [Field::Amount, Field::Currency, Field::Type, Field::Metadata]
        .into_iter()
        .find(|field| fields.contains(field))
        .or_else(|| fields.first().copied())
}

fn wanted(case: &Case, ours: &Result<SourceRecord, String>) -> Result<Fields, String> {
    match ours {
        Ok(record) => record.map_without_customer(case.customer.as_ref()).map_err(|error| error.to_string()),
        Err(why) => Err(why.clone()),
    }
}

fn problem(why: &str) -> String {
    format!("{{\"problem\":{}}}", text(why))
}

#[cfg(test)]
mod tests;
