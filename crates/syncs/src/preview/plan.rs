//! What a sync would do, as a pure function of what is wanted, known and held. The worker's `push` does the same step by step, with calls in
//! between; a test of the worker's holds the two together.

use domain::EntityType;
use domain::mapping::{
    Base, Field, Fields, Leftover, Record, before_cancelling, changed_there, diff, diff_against_record,
};
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
    /// Then, the fields that stay if somebody in FlashERP has changed them; none when more than that write was asked for since.
    pub(super) open: &'a [Field],
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
        Some(record) if known.unknown => {
            let open = if known.target { known.open } else { &[] };
            let theirs = changed_there(open, wanted, known.base, record);
            let mut difference = diff_against_record(wanted, record, Leftover::Clear);
            difference.retain(|field, _| !theirs.contains(field));
            (difference, !known.target)
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use domain::mapping::FieldValue;

    const RECORD: &str = r#"{"id":"fcu_1","createdAt":"2026-11-24T09:30:00Z","updatedAt":"2026-11-24T09:30:00Z","name":"Ada King","email":"a@example.com"}"#;

    fn fields(name: &str) -> Fields {
        Fields::from([(Field::Name, FieldValue::text(name)), (Field::Email, FieldValue::text("a@example.com"))])
    }

    fn planned(wanted: &Fields, held: bool, change: impl FnOnce(&mut Known<'_>)) -> (Action, Vec<Field>, bool) {
        let base = Base::default().after_write(&fields("Ada"), None);
        let record = Record::parse(RECORD).expect("a record");
        let mut known =
            Known { target: true, target_is_there: held, base: &base, unknown: false, open: &[], is_looked_up: false };
        change(&mut known);
        let Planned { action, request, adopts } = plan(EntityType::Customer, wanted, &known, held.then_some(&record));
        (action, request.into_keys().collect(), adopts)
    }

    #[test]
    fn against_base_while_all_is_known_and_against_the_record_when_it_is_not() {
        let (ada, king) = (fields("Ada"), fields("Ada King"));
        // Finance made Ada King of Ada, and nobody changed anything here.
        assert_eq!(planned(&ada, true, |_| {}), (Action::Nothing, vec![], false));
        assert_eq!(planned(&king, true, |_| {}), (Action::Update, vec![Field::Name], false));
        assert_eq!(planned(&ada, true, |known| known.unknown = true), (Action::Update, vec![Field::Name], false));
        assert_eq!(planned(&king, true, |known| known.unknown = true), (Action::Nothing, vec![], false));
        // Nothing else was wanted since that write: it is finance's, and stays.
        let undisturbed = |known: &mut Known<'_>| (known.unknown, known.open) = (true, &[Field::Name]);
        assert_eq!(planned(&ada, true, undisturbed), (Action::Nothing, vec![], false));
    }

    #[test]
    fn what_is_gone_is_made_anew_and_what_may_be_there_is_taken_over() {
        let ada = fields("Ada");
        assert_eq!(planned(&ada, false, |_| {}), (Action::Create, vec![Field::Email, Field::Name], false));
        let found_by_reference = |known: &mut Known<'_>| known.target_is_there = false;
        assert_eq!(planned(&ada, true, found_by_reference), (Action::Update, vec![Field::Name], true));
        let never_made = |known: &mut Known<'_>| (known.target, known.target_is_there) = (false, false);
        assert_eq!(planned(&ada, true, never_made).0, Action::Create, "born after the adoption, it is not looked up");
        let born_before = |known: &mut Known<'_>| {
            (known.target, known.target_is_there, known.is_looked_up) = (false, false, true);
        };
        assert_eq!(planned(&ada, true, born_before), (Action::Update, vec![Field::Name], true));
    }
}
