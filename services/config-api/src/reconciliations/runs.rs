//! Runs as the API shows them: where they stand, what they counted, and whether their control totals are proven.

use domain::money::currency;
use domain::{FindingClass, Money, ReconciliationStatus};
use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{FromRow, PgPool, Row as _};
use syncs::reconciliation::{CurrencyTotals, Totals, TypeTotals, Unread};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::input::{Fields, FromFields};
use crate::labels;
use crate::listing::{Conditions, List};
use crate::paging::Cursor;
use crate::timestamp::Timestamp;

const COLUMNS: &str = "r.id, r.status::text, r.window_from, r.window_to, r.cutoff_secs, r.entity_types::text[], r.auto_heal, r.requested_by, \
    r.totals, r.proven, r.heals_requested, r.error, r.created_at, r.started_at, r.finished_at, \
    (1000 * extract(epoch FROM coalesce(r.finished_at, clock_timestamp()) - r.started_at))::bigint AS duration";

/// A reconciliation.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reconciliation {
    pub id: Uuid,
    /// `incomplete`: a part of FlashERP could not be read, and nothing is said of what is missing.
    #[schema(schema_with = labels::reconciliation_status_schema)]
    pub status: String,
    pub from: Timestamp,
    pub to: Timestamp,
    /// What changed so shortly before the run, or since, is left out on both sides.
    pub cutoff_seconds: i32,
    pub entity_types: Vec<String>,
    pub auto_heal: bool,
    #[schema(required)]
    pub requested_by: Option<String>,
    /// Whether every difference between the control totals is explained by the findings, exactly; null before the end.
    #[schema(required)]
    pub proven: Option<bool>,
    /// Why it is not proven, all that there is; empty for one that is, and before the end.
    pub unproven_because: Vec<Unproven>,
    /// Records in doubt that FlashERP could not serve: nothing is said of them.
    pub unread_count: u64,
    /// Which, the first hundred.
    #[schema(max_items = 100)]
    pub unread: Vec<UnreadRecord>,
    /// Syncs that the run asked for by itself.
    pub heals_requested: i32,
    /// What could not be read.
    #[schema(required)]
    pub error: Option<String>,
    #[serde(flatten)]
    pub counts: Counts,
    pub created_at: Timestamp,
    #[schema(required)]
    pub started_at: Option<Timestamp>,
    #[schema(required)]
    pub finished_at: Option<Timestamp>,
    /// In milliseconds, up to now while it runs.
    #[schema(required)]
    pub duration: Option<i64>,
}

/// Why a reconciliation is not proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unproven {
    pub reason: UnprovenReason,
    /// Of which type, where it is of one.
    #[schema(required)]
    pub entity_type: Option<String>,
    /// In which currency, where it is in one.
    #[schema(required)]
    pub currency: Option<String>,
    /// In words.
    pub message: String,
}

/// What stands in the way of the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnprovenReason {
    /// Something of FlashERP could not be read; `error` and `unread` say what.
    Unread,
    /// Amounts that are none, or of records that can't be told: nobody knows what they count for.
    UnreadableAmounts,
    /// FlashERP's pages gave records twice, or the comparison has not seen each once.
    Unaccounted,
    /// The totals differ by another sum than the findings do.
    ControlTotals,
}

/// A record that FlashERP could not serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnreadRecord {
    pub entity_type: String,
    /// UpCoach's id, where it is known.
    #[schema(required)]
    pub source_id: Option<Uuid>,
    /// FlashERP's id, where it is known.
    #[schema(required)]
    pub target_id: Option<String>,
    /// What came of asking.
    pub error: String,
}

/// What a reconciliation counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Records of the window, whichever side has them.
    pub total_records: u64,
    /// Of these, compared; the others were left out.
    pub total_checked: u64,
    /// Alike on both sides.
    pub matched: u64,
    /// On one side only, though they ought to be on both.
    pub missing: u64,
    /// Findings that nobody had decided on before.
    pub discrepancies: u64,
    pub details: Vec<TypeCounts>,
    /// The control totals: transactions and invoices, signed by type.
    pub currencies: Vec<Control>,
}

/// The counts of one type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypeCounts {
    pub entity_type: String,
    pub upcoach_count: u64,
    pub flasherp_count: u64,
    pub matched: u64,
    pub left_out: u64,
    pub missing_in_flasherp: u64,
    pub missing_in_upcoach: u64,
    pub mismatched: u64,
    pub duplicates: u64,
    /// Sync rows whose record is gone.
    pub orphaned: u64,
    /// That differ because their sync is not done.
    pub pending: u64,
    pub failed: u64,
    pub skipped: u64,
    /// Whose last write may or may not have taken effect.
    pub unknown: u64,
}

/// The control totals of one currency, as decimals in its very digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Control {
    pub entity_type: String,
    pub currency: String,
    #[schema(example = "1234.50")]
    pub upcoach: String,
    pub flasherp: String,
    /// UpCoach's less FlashERP's.
    pub difference: String,
    /// What the findings differ by.
    pub explained: String,
    /// Whether the two are equal.
    pub proven: bool,
}

impl FromRow<'_, PgRow> for Reconciliation {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let totals: Json<Totals> = row.try_get("totals")?;
        let (proven, error): (Option<bool>, Option<String>) = (row.try_get("proven")?, row.try_get("error")?);
        let is_over = row.try_get::<Option<Timestamp>, _>("finished_at")?.is_some();
        Ok(Self {
            unproven_because: match is_over && proven != Some(true) {
                true => unproven(&totals.0, error.as_deref()),
                false => Vec::new(),
            },
            unread_count: totals.0.unread_count,
            unread: totals.0.unread.iter().map(UnreadRecord::of).collect(),
            id: row.try_get("id")?,
            status: row.try_get("status")?,
            from: row.try_get("window_from")?,
            to: row.try_get("window_to")?,
            cutoff_seconds: row.try_get("cutoff_secs")?,
            entity_types: row.try_get("entity_types")?,
            auto_heal: row.try_get("auto_heal")?,
            requested_by: row.try_get("requested_by")?,
            proven,
            heals_requested: row.try_get("heals_requested")?,
            error,
            counts: Counts::of(&totals.0),
            created_at: row.try_get("created_at")?,
            started_at: row.try_get("started_at")?,
            finished_at: row.try_get("finished_at")?,
            duration: row.try_get("duration")?,
        })
    }
}

/// All that stands in the way of a proof.
fn unproven(totals: &Totals, error: Option<&str>) -> Vec<Unproven> {
    let because = |reason, kind: Option<&TypeTotals>, currency: Option<&str>, message| Unproven {
        reason,
        entity_type: kind.map(|totals| totals.entity_type.to_string()),
        currency: currency.map(str::to_owned),
        message,
    };
    let mut all: Vec<Unproven> =
        error.map(|error| because(UnprovenReason::Unread, None, None, error.to_owned())).into_iter().collect();
    for of in &totals.types {
        if of.unreadable > 0 {
            let message = format!("{} amounts can't be read", of.unreadable);
            all.push(because(UnprovenReason::UnreadableAmounts, Some(of), None, message));
        }
        if of.unaccounted > 0 {
            let message = format!("{} records were given twice or not compared once", of.unaccounted);
            all.push(because(UnprovenReason::Unaccounted, Some(of), None, message));
        }
        for control in controls(of).filter(|control| !control.proven) {
            let message = format!("the totals differ by {}, the findings by {}", control.difference, control.explained);
            all.push(because(UnprovenReason::ControlTotals, Some(of), Some(&control.currency), message));
        }
    }
    all
}

impl UnreadRecord {
    fn of(unread: &Unread) -> Self {
        Self {
            entity_type: unread.entity_type.to_string(),
            source_id: unread.source_id,
            target_id: unread.target_id.clone(),
            error: unread.error.clone(),
        }
    }
}

impl Counts {
    /// Of a run's totals.
    #[must_use]
    pub fn of(totals: &Totals) -> Self {
        let sum = |of: fn(&TypeTotals) -> u64| totals.types.iter().map(of).sum::<u64>();
        let checked = sum(|of| of.matched + of.records.values().sum::<u64>());
        Self {
            total_records: checked + sum(|of| of.left_out),
            total_checked: checked,
            matched: sum(|of| of.matched),
            missing: sum(|of| {
                of.records_of(FindingClass::MissingInFlasherp) + of.records_of(FindingClass::MissingInUpcoach)
            }),
            discrepancies: sum(|of| of.open),
            details: totals.types.iter().map(TypeCounts::of).collect(),
            currencies: totals.types.iter().flat_map(controls).collect(),
        }
    }
}

impl TypeCounts {
    fn of(totals: &TypeTotals) -> Self {
        Self {
            entity_type: totals.entity_type.to_string(),
            upcoach_count: totals.upcoach,
            flasherp_count: totals.flasherp,
            matched: totals.matched,
            left_out: totals.left_out,
            missing_in_flasherp: totals.records_of(FindingClass::MissingInFlasherp),
            missing_in_upcoach: totals.records_of(FindingClass::MissingInUpcoach),
            mismatched: totals.records_of(FindingClass::Mismatch),
            duplicates: totals.records_of(FindingClass::DuplicateInFlasherp),
            orphaned: totals.records_of(FindingClass::OrphanedSync),
            pending: totals.records_of(FindingClass::PendingSync),
            failed: totals.records_of(FindingClass::FailedSync),
            skipped: totals.records_of(FindingClass::SkippedSync),
            unknown: totals.records_of(FindingClass::UnknownSync),
        }
    }
}

fn controls(totals: &TypeTotals) -> impl Iterator<Item = Control> {
    totals.currencies.iter().map(|(code, sums)| {
        let CurrencyTotals { ours, theirs, classified } = *sums;
        Control {
            entity_type: totals.entity_type.to_string(),
            currency: code.clone(),
            upcoach: decimal(ours, code),
            flasherp: decimal(theirs, code),
            difference: decimal(ours - theirs, code),
            explained: decimal(classified, code),
            proven: ours - theirs == classified,
        }
    })
}

/// A sum of minor units as a decimal; one beyond all money as the number that it is.
pub(super) fn decimal(minor: i128, code: &str) -> String {
    let money = i64::try_from(minor).ok().zip(currency(code).ok());
    let money = money.and_then(|(minor, currency)| Money::from_minor(minor, currency).ok());
    money.map_or_else(|| minor.to_string(), Money::to_decimal)
}

/// Which runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    status: Option<ReconciliationStatus>,
}

/// The parameters of [`Runs`], for the API's description.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `Runs` reads")]
pub struct RunsParameters {
    #[param(schema_with = labels::reconciliation_status_schema)]
    status: Option<String>,
}

impl FromFields for Runs {
    fn read(fields: &mut Fields) -> Self {
        Self { status: labels::reconciliation_status(fields, "status") }
    }
}

impl List for Runs {
    type Row = Reconciliation;
    const FROM: &'static str = "reconciliation.runs_for_readers";
    const COLUMNS: &'static str = COLUMNS;
    const AT: Option<&'static str> = Some("created_at");

    fn conditions(&self, only: &mut Conditions<'_>) {
        only.label("status", self.status.map(|status| status.as_str()));
    }

    fn place(row: &Reconciliation) -> Cursor {
        Cursor { at: row.created_at.0, id: row.id }
    }
}

/// One run.
///
/// # Errors
/// The database.
pub async fn one(pool: &PgPool, id: Uuid) -> Result<Option<Reconciliation>, sqlx::Error> {
    let statement = format!("SELECT {COLUMNS} FROM reconciliation.runs_for_readers AS r WHERE r.id = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(id).fetch_optional(pool).await
}

#[cfg(test)]
mod tests {
    use domain::EntityType;

    use super::*;

    #[test]
    fn sums_are_shown_in_their_currencys_digits_and_proven_to_the_cent() {
        let mut totals = Totals::default();
        let of = totals.of_type(EntityType::Transaction);
        *of.currency("EUR") = CurrencyTotals { ours: 123_450, theirs: 123_400, classified: 50 };
        *of.currency("KWD") = CurrencyTotals { ours: -1_230, theirs: 0, classified: -1_229 };
        of.matched = 7;
        of.left_out = 2;
        of.records.insert("missing_in_flasherp".to_owned(), 1);
        let counts = Counts::of(&totals);
        assert_eq!((counts.total_records, counts.total_checked, counts.missing), (10, 8, 1));
        let shown: Vec<_> = counts
            .currencies
            .iter()
            .map(|of| [of.upcoach.as_str(), &of.flasherp, &of.difference, &of.explained])
            .collect();
        assert_eq!(shown, [["1234.50", "1234.00", "0.50", "0.50"], ["-1.230", "0.000", "-1.230", "-1.229"]]);
        assert_eq!(counts.currencies.iter().map(|of| of.proven).collect::<Vec<_>>(), [true, false]);
        assert_eq!(decimal(i128::MAX, "EUR"), i128::MAX.to_string());

        totals.of_type(EntityType::Invoice).unreadable = 2;
        totals.of_type(EntityType::Customer).unaccounted = 3;
        let told: Vec<_> = unproven(&totals, Some("a slice failed"))
            .into_iter()
            .map(|why| (why.reason, why.entity_type.unwrap_or_default(), why.currency.unwrap_or_default(), why.message))
            .collect();
        let why = |reason, kind: &str, currency: &str, message: &str| {
            (reason, kind.to_owned(), currency.to_owned(), message.to_owned())
        };
        assert_eq!(
            told,
            [
                why(UnprovenReason::Unread, "", "", "a slice failed"),
                why(
                    UnprovenReason::ControlTotals,
                    "transaction",
                    "KWD",
                    "the totals differ by -1.230, the findings by -1.229"
                ),
                why(UnprovenReason::UnreadableAmounts, "invoice", "", "2 amounts can't be read"),
                why(UnprovenReason::Unaccounted, "customer", "", "3 records were given twice or not compared once"),
            ]
        );
    }
}
