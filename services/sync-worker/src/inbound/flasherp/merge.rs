//! Who is right: FlashERP's version of a record against UpCoach's, field by field against what both last agreed on. Pure.
//!
//! A value equal to base, as sent or as answered, is our own echo. What only FlashERP changed is taken. What both changed goes by policy. What
//! Stripe alone decides is never taken: FlashERP's contrary word is a conflict. Base takes over only the fields that came and differ: as they
//! are held there, so that what we keep is sent, and what we took is not.

use domain::mapping::{Base, Field, FieldValue, Fields, Record};
use time::OffsetDateTime;

/// Which side wins where both changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    Newest,
    Upcoach,
    Flasherp,
}

impl Policy {
    /// By its label in the database; the default for one that this build does not know.
    pub(crate) fn of(label: Option<&str>) -> Self {
        match label {
            Some("upcoach_wins") => Self::Upcoach,
            Some("flasherp_wins") => Self::Flasherp,
            _ => Self::Newest,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Newest => "newest_wins",
            Self::Upcoach => "upcoach_wins",
            Self::Flasherp => "flasherp_wins",
        }
    }
}

/// UpCoach's side.
#[derive(Debug)]
pub(crate) struct Ours<'a> {
    /// As it would be sent.
    pub(crate) wanted: &'a Fields,
    pub(crate) updated_at: OffsetDateTime,
    pub(crate) base: &'a Base,
    /// The fields that a person in FlashERP may change.
    pub(crate) open: &'a [Field],
    /// The fields that Stripe alone decides.
    pub(crate) stripes: &'a [Field],
}

/// What becomes of FlashERP's version.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    /// To be written to UpCoach.
    pub(crate) taken: Fields,
    pub(crate) conflicts: Vec<Conflict>,
    /// Whether UpCoach's version has to be sent.
    pub(crate) push: bool,
    pub(crate) base: Base,
}

/// A field of which both sides say different things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub(crate) field: Field,
    pub(crate) upcoach: Option<FieldValue>,
    pub(crate) flasherp: FieldValue,
    pub(crate) winner: Winner,
}

/// Whose version of a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Winner {
    Upcoach,
    Flasherp,
    /// Not by policy: it is Stripe's alone.
    Stripe,
}

impl Winner {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Upcoach => "upcoach",
            Self::Flasherp => "flasherp",
            Self::Stripe => "stripe",
        }
    }
}

/// Merges FlashERP's version.
pub(crate) fn merge(ours: &Ours<'_>, record: &Record, policy: Policy) -> Merged {
    let mut merged = Merged { base: ours.base.clone(), ..Merged::default() };
    for field in ours.open.iter().chain(ours.stripes) {
        let Some(theirs) = record.get(*field) else { continue };
        let base = ours.base.get(*field);
        if base.is_some_and(|base| *theirs == base.sent || *theirs == base.answered) {
            continue;
        }
        let wanted = ours.wanted.get(field);
        if wanted != Some(theirs) {
            let conflict =
                |winner| Conflict { field: *field, upcoach: wanted.cloned(), flasherp: theirs.clone(), winner };
            let only_theirs =
                base.is_some_and(|base| wanted == Some(&base.sent) || (wanted.is_none() && base.sent.is_null()));
            let theirs_wins = match policy {
                Policy::Newest => record.updated_at > ours.updated_at,
                Policy::Upcoach => false,
                Policy::Flasherp => true,
            };
            if ours.stripes.contains(field) {
                merged.conflicts.push(conflict(Winner::Stripe));
                merged.push = true;
            } else if only_theirs || (base.is_none() && wanted.is_none()) {
                merged.taken.insert(*field, theirs.clone());
            } else if theirs_wins {
                merged.conflicts.push(conflict(Winner::Flasherp));
                merged.taken.insert(*field, theirs.clone());
            } else {
                merged.conflicts.push(conflict(Winner::Upcoach));
                merged.push = true;
            }
        }
        merged.base = merged.base.after_write(&Fields::from([(*field, theirs.clone())]), Some(record));
    }
    merged
}
