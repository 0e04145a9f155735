//! A preview as it is shown: JSON with amounts in their very digits.

use domain::mapping::{Field, FieldValue, Fields, MappingError, Record, agrees, body, value_json};
use domain::{EntityType, ErrorCode, FlashErpId, Outcome, SyncId, SyncStatus, UserId};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::plan::{Action, Planned};
use super::standing::Standing;

/// What a sync would send, and how the record differs from FlashERP's.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// Of which type.
    pub entity_type: EntityType,
    /// UpCoach's id.
    pub source_id: Uuid,
    /// Its sync.
    pub sync_id: SyncId,
    /// Where that stands; none when it was never asked for.
    pub sync_status: Option<SyncStatus>,
    /// Whether it is known what became of the last write. An unknown one is looked up before anything is sent.
    pub outcome: Outcome,
    /// Whether it is sent for its own sake. Out of scope it is only sent by hand.
    pub in_scope: bool,
    /// What a sync would do.
    pub action: Action,
    /// Whether it would take over a record that FlashERP holds under our reference.
    pub adopts: bool,
    /// The user who has to be in FlashERP first; then `customerId` is missing below.
    pub needs_customer: Option<UserId>,
    /// FlashERP's id, of the record we know or found.
    pub target_id: Option<FlashErpId>,
    /// The record as FlashERP is to hold it.
    pub payload: Option<Box<RawValue>>,
    /// What would be sent; none when nothing is.
    pub request: Option<Box<RawValue>>,
    /// What FlashERP holds of it; none when it holds nothing, or does not tell (financial reports).
    pub flasherp: Option<Box<RawValue>>,
    /// Where the two differ.
    pub differences: Vec<Difference>,
    /// Further records under our reference: doubles.
    pub duplicates: Vec<FlashErpId>,
    /// Why it can't be told to FlashERP as it is.
    pub problem: Option<Problem>,
}

/// A field that differs.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Its name in FlashERP.
    pub field: Field,
    /// As it is to be; null for nothing.
    pub upcoach: Box<RawValue>,
    /// As FlashERP holds it; null for nothing.
    pub flasherp: Box<RawValue>,
    /// Whether a sync would send it. One that somebody changed in FlashERP and nobody in UpCoach would not, unless forced.
    pub sent: bool,
}

/// What has to be mended in UpCoach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Of which kind.
    pub code: ErrorCode,
    /// FlashERP's field that could not be filled.
    pub field: Field,
    /// What is wrong.
    pub message: String,
}

/// What is shown whatever comes of it.
pub(super) struct Shown<'a> {
    pub(super) entity_type: EntityType,
    pub(super) source_id: Uuid,
    pub(super) sync_id: SyncId,
    pub(super) in_scope: bool,
    pub(super) needs_customer: Option<UserId>,
    pub(super) standing: &'a Standing,
}

impl Shown<'_> {
    fn bare(&self, action: Action) -> Preview {
        Preview {
            entity_type: self.entity_type,
            source_id: self.source_id,
            sync_id: self.sync_id,
            sync_status: self.standing.status,
            outcome: self.standing.outcome,
            in_scope: self.in_scope,
            action,
            adopts: false,
            needs_customer: self.needs_customer,
            target_id: self.standing.target_id.clone(),
            payload: None,
            request: None,
            flasherp: None,
            differences: Vec::new(),
            duplicates: Vec::new(),
            problem: None,
        }
    }

    pub(super) fn impossible(&self, error: &MappingError) -> Preview {
        let problem = Problem { code: error.code, field: error.field, message: error.message.clone() };
        Preview { problem: Some(problem), ..self.bare(Action::Fail) }
    }

    pub(super) fn planned(
        &self,
        wanted: &Fields,
        planned: Planned,
        held: Option<&Record>,
        duplicates: Vec<FlashErpId>,
    ) -> Preview {
        let sends = !planned.request.is_empty();
        let differences = held.map(|record| differences(wanted, record, &planned)).unwrap_or_default();
        let bare = self.bare(planned.action);
        Preview {
            adopts: planned.adopts,
            target_id: held.map(|record| record.id.clone()).or(bare.target_id),
            payload: Some(object(wanted)),
            request: sends.then(|| object(&planned.request)),
            flasherp: held.map(|record| object(&record.fields)),
            differences,
            duplicates,
            ..bare
        }
    }
}

fn differences(wanted: &Fields, record: &Record, planned: &Planned) -> Vec<Difference> {
    let null = FieldValue::Null;
    Field::ALL
        .iter()
        .filter(|field| field.compared() && (wanted.contains_key(field) || record.fields.contains_key(field)))
        .filter(|field| !agrees(**field, wanted.get(field), record.get(**field)))
        .map(|field| Difference {
            field: *field,
            upcoach: raw(value_json(wanted.get(field).unwrap_or(&null))),
            flasherp: raw(value_json(record.get(*field).unwrap_or(&null))),
            // A cancellation is sent by a call of its own.
            sent: planned.request.contains_key(field) || (planned.action == Action::Cancel && *field == Field::Status),
        })
        .collect()
}

fn object(fields: &Fields) -> Box<RawValue> {
    // The mapping's own JSON is UTF-8.
    raw(String::from_utf8_lossy(&body(fields)).into_owned())
}

fn raw(json: String) -> Box<RawValue> {
    RawValue::from_string(json).expect("the mapping writes valid JSON")
}
