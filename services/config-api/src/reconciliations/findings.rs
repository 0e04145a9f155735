//! Findings of a run as the API lists them, newest first.
//!
//! What workers meet outside of any run (doubles in FlashERP) is under the nil UUID in place of a run's, until a run finds it too.

use std::collections::BTreeMap;

use domain::mapping::Json as Exact;
use domain::{Decision, EntityType, FindingClass};
use serde::Serialize;
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{FromRow, Row as _};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::runs::decimal;
use crate::input::{Fields, FromFields};
use crate::labels;
use crate::listing::csv::CsvRow;
use crate::listing::{Conditions, List};
use crate::paging::Cursor;
use crate::timestamp::Timestamp;

const COLUMNS: &str = "r.id, r.run_id, r.class::text, r.entity_type::text, r.source_id, r.sync_id, r.target_id, r.field, r.ours::text, \
    r.theirs::text, r.difference, r.decision::text, r.decided_at, r.decided_by, r.note, r.created_at";

/// A difference.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    pub id: Uuid,
    /// Null: met by a worker, outside of any run.
    #[schema(required)]
    pub run_id: Option<Uuid>,
    #[schema(schema_with = labels::finding_class_schema)]
    pub class: String,
    #[schema(schema_with = labels::entity_type_schema)]
    pub entity_type: String,
    /// UpCoach's id.
    #[schema(required)]
    pub source_id: Option<Uuid>,
    #[schema(required)]
    pub sync_id: Option<Uuid>,
    /// FlashERP's id.
    #[schema(required)]
    pub target_id: Option<String>,
    /// Of a mismatch: which field.
    #[schema(required)]
    pub field: Option<String>,
    /// As it ought to be; numbers as texts, in their very digits.
    #[schema(required, value_type = Option<Object>)]
    pub ours: Option<Value>,
    /// As FlashERP has it.
    #[schema(required, value_type = Option<Object>)]
    pub theirs: Option<Value>,
    /// UpCoach's less FlashERP's, by currency; null where no money differs.
    #[schema(required, example = json!({"EUR": "10.99"}))]
    pub difference: Option<BTreeMap<String, String>>,
    #[schema(schema_with = labels::decision_schema)]
    pub decision: String,
    #[schema(required)]
    pub decided_at: Option<Timestamp>,
    #[schema(required)]
    pub decided_by: Option<String>,
    #[schema(required)]
    pub note: Option<String>,
    pub created_at: Timestamp,
}

impl FromRow<'_, PgRow> for Finding {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let difference: Option<Json<BTreeMap<String, i128>>> = row.try_get("difference")?;
        let difference = difference.map(|difference| {
            difference.0.into_iter().map(|(code, minor)| (code.clone(), decimal(minor, &code))).collect()
        });
        Ok(Self {
            id: row.try_get("id")?,
            run_id: row.try_get("run_id")?,
            class: row.try_get("class")?,
            entity_type: row.try_get("entity_type")?,
            source_id: row.try_get("source_id")?,
            sync_id: row.try_get("sync_id")?,
            target_id: row.try_get("target_id")?,
            field: row.try_get("field")?,
            ours: row.try_get::<Option<String>, _>("ours")?.as_deref().map(exact),
            theirs: row.try_get::<Option<String>, _>("theirs")?.as_deref().map(exact),
            difference,
            decision: row.try_get("decision")?,
            decided_at: row.try_get("decided_at")?,
            decided_by: row.try_get("decided_by")?,
            note: row.try_get("note")?,
            created_at: row.try_get("created_at")?,
        })
    }
}

/// JSON whose numbers are texts: no reader makes a float of an amount.
fn exact(json: &str) -> Value {
    fn of(json: Exact) -> Value {
        match json {
            Exact::Null => Value::Null,
            Exact::Bool(value) => Value::Bool(value),
            Exact::Number(number) => Value::String(number.as_str().to_owned()),
            Exact::Text(text) => Value::String(text),
            Exact::List(items) => Value::Array(items.into_iter().map(of).collect()),
            Exact::Object(members) => members.into_iter().map(|(name, value)| (name, of(value))).collect(),
        }
    }
    Exact::parse(json).map_or_else(|_| Value::String(json.to_owned()), of)
}

impl CsvRow for Finding {
    const COLUMNS: &'static [&'static str] = &[
        "createdAt",
        "id",
        "runId",
        "class",
        "entityType",
        "sourceId",
        "targetId",
        "syncId",
        "field",
        "ours",
        "theirs",
        "difference",
        "decision",
        "decidedAt",
        "decidedBy",
        "note",
    ];
}

/// Which findings of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// From the path; the nil UUID: of no run.
    pub run: Uuid,
    class: Option<FindingClass>,
    decision: Option<Decision>,
    entity_type: Option<EntityType>,
    source_id: Option<Uuid>,
}

/// The parameters of [`Findings`], for the API's description.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `Findings` reads")]
pub struct FindingsParameters {
    #[param(schema_with = labels::finding_class_schema)]
    class: Option<String>,
    #[param(schema_with = labels::decision_schema)]
    decision: Option<String>,
    #[param(schema_with = labels::entity_type_schema)]
    entity_type: Option<String>,
    source_id: Option<Uuid>,
}

impl FromFields for Findings {
    fn read(fields: &mut Fields) -> Self {
        Self {
            run: Uuid::nil(),
            class: labels::finding_class(fields, "class"),
            decision: labels::decision(fields, "decision"),
            entity_type: labels::entity_type(fields, "entityType"),
            source_id: fields.uuid("sourceId"),
        }
    }
}

impl List for Findings {
    type Row = Finding;
    const FROM: &'static str = "reconciliation.findings_for_readers";
    const COLUMNS: &'static str = COLUMNS;
    const AT: Option<&'static str> = None;

    fn conditions(&self, only: &mut Conditions<'_>) {
        if self.run.is_nil() {
            only.and().push("r.run_id IS NULL");
        } else {
            only.equals("run_id", Some(self.run));
        }
        only.label("class", self.class.map(FindingClass::as_str));
        only.label("decision", self.decision.map(Decision::as_str));
        only.label("entity_type", self.entity_type.map(EntityType::as_str));
        only.equals("source_id", self.source_id);
    }

    fn place(row: &Finding) -> Cursor {
        Cursor { at: row.created_at.0, id: row.id }
    }
}

/// One finding of a run.
///
/// # Errors
/// The database.
pub async fn one(database: impl sqlx::PgExecutor<'_>, run: Uuid, id: Uuid) -> Result<Option<Finding>, sqlx::Error> {
    let statement = format!(
        "SELECT {COLUMNS} FROM reconciliation.findings_for_readers AS r
         WHERE r.id = $2 AND r.run_id IS NOT DISTINCT FROM nullif($1, '00000000-0000-0000-0000-000000000000'::uuid)"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(run).bind(id).fetch_optional(database).await
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;
    use time::OffsetDateTime;

    use super::*;

    #[rstest]
    #[case("=1+1")]
    #[case("+1")]
    #[case("-1")]
    #[case("@SUM(1)")]
    #[case("\t=1")]
    #[case("\r=1")]
    fn no_column_of_the_export_runs_as_a_formula(#[case] formula: &str) {
        let text = || Some(formula.to_owned());
        let finding = Finding {
            id: Uuid::nil(),
            run_id: None,
            class: formula.to_owned(),
            entity_type: formula.to_owned(),
            source_id: None,
            sync_id: None,
            target_id: text(),
            field: text(),
            ours: Some(json!(formula)),
            theirs: Some(json!(formula)),
            difference: None,
            decision: formula.to_owned(),
            decided_at: None,
            decided_by: text(),
            note: text(),
            created_at: OffsetDateTime::UNIX_EPOCH.into(),
        };
        let cells = crate::listing::csv::row(&finding).expect("a line");
        let held = cells.matches(&format!(",\"'{formula}\"")).count();
        assert_eq!(held, 9, "every column of text: {cells}");
        assert!(!cells.contains(&format!(",{formula}")) && !cells.contains(&format!("\"{formula}")), "{cells}");
    }

    #[test]
    fn amounts_keep_their_digits() {
        assert_eq!(exact("10.00"), json!("10.00"));
        assert_eq!(exact("\"EUR\""), json!("EUR"));
        assert_eq!(
            exact(r#"{"amount":1.230,"metadata":{"a":[1,null,true]}}"#),
            json!({"amount": "1.230", "metadata": {"a": ["1", null, true]}})
        );
    }
}
