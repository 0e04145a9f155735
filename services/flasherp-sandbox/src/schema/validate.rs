//! From what a caller sent to the fields of a record: every mistake is told at once, and what is accepted is in FlashERP's own spelling.

use iso_currency::Currency;
use serde_json::value::RawValue;

use super::{Document, Field, Kind, Resource, amount, text};

/// A record's values as JSON text, in the order of [`Resource::fields`]; `None` where it has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields(Vec<Option<Box<str>>>);

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// The field's JSON name.
    pub field: String,
    /// What is wrong with it, for people.
    pub issue: String,
}

/// Why a record was refused; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Every bad field.
    pub issues: Vec<Issue>,
    /// Whether nothing is wrong but that required fields are missing.
    pub only_missing: bool,
}

impl Fields {
    fn none(resource: Resource) -> Self {
        Fields(vec![None; resource.fields().len()])
    }

    /// The fields that a stored body holds; members that are no fields (`id`, times) are passed over.
    pub fn of_record(resource: Resource, document: &Document<'_>) -> Self {
        let mut fields = Self::none(resource);
        for (name, value) in document.iter() {
            if let Some(slot) = resource.position(name).and_then(|position| fields.0.get_mut(position)) {
                *slot = Some(value.get().into());
            }
        }
        fields
    }

    /// A field's JSON text.
    pub fn json(&self, resource: Resource, name: &str) -> Option<&str> {
        self.0.get(resource.position(name)?)?.as_deref()
    }

    /// A field's value, if it has one and is a string.
    pub fn text(&self, resource: Resource, name: &str) -> Option<std::borrow::Cow<'_, str>> {
        text::decode(self.json(resource, name)?)
    }

    /// Sets a field to JSON text that is known to be right.
    pub fn set(&mut self, resource: Resource, name: &str, json: Box<str>) {
        if let Some(slot) = resource.position(name).and_then(|position| self.0.get_mut(position)) {
            *slot = Some(json);
        }
    }

    /// Names and JSON texts of the fields that have a value.
    pub fn iter(&self, resource: Resource) -> impl Iterator<Item = (&'static str, &str)> {
        resource.fields().iter().zip(&self.0).filter_map(|(field, json)| Some((field.name, json.as_deref()?)))
    }
}

/// The fields of a new record. `knows_customer` tells whether a customer id exists.
pub fn create(
    resource: Resource,
    document: &Document<'_>,
    knows_customer: impl Fn(&str) -> bool,
) -> Result<Fields, Invalid> {
    let mut fields = Fields::none(resource);
    let mut issues = take_over(resource, &mut fields, document, |field, raw| {
        if raw.get() == "null" { Err("must not be null".into()) } else { field.kind.accept(raw).map(Some) }
    });
    let bad = issues.len();
    for (field, slot) in resource.fields().iter().zip(&mut fields.0) {
        let is_told = issues.iter().any(|issue| issue.field == field.name);
        match slot {
            None if field.is_required && !is_told => {
                issues.push(Issue { field: field.name.into(), issue: "is required".into() })
            }
            None => *slot = field.default.map(Into::into),
            Some(_) => {}
        }
    }
    let missing = issues.len() - bad;
    check_together(resource, &mut fields, &mut issues, knows_customer);
    finish(fields, missing, issues)
}

/// The fields of a record after a partial update: null clears, what is not named stays.
pub fn update(
    resource: Resource,
    mut fields: Fields,
    document: &Document<'_>,
    knows_customer: impl Fn(&str) -> bool,
) -> Result<Fields, Invalid> {
    let mut issues = take_over(resource, &mut fields, document, |field, raw| match raw.get() {
        "null" if field.is_required => Err("is required and can't be cleared".into()),
        "null" => Ok(field.default.map(Into::into)),
        _ => field.kind.accept(raw).map(Some),
    });
    check_together(resource, &mut fields, &mut issues, knows_customer);
    finish(fields, 0, issues)
}

fn finish(fields: Fields, missing: usize, issues: Vec<Issue>) -> Result<Fields, Invalid> {
    if issues.is_empty() {
        return Ok(fields);
    }
    Err(Invalid { only_missing: missing == issues.len(), issues })
}

fn take_over(
    resource: Resource,
    fields: &mut Fields,
    document: &Document<'_>,
    accept: impl Fn(&Field, &RawValue) -> Result<Option<Box<str>>, String>,
) -> Vec<Issue> {
    let mut issues = Vec::new();
    for (name, raw) in document.iter() {
        let known = resource.fields().iter().zip(&mut fields.0).find(|(field, _)| field.name == name);
        let outcome = match known {
            Some((field, slot)) => accept(field, raw).map(|json| *slot = json),
            None => Err("is not a field of this record".into()),
        };
        if let Err(issue) = outcome {
            issues.push(Issue { field: name.into(), issue });
        }
    }
    issues
}

/// Checks that need more than one field, or the other records: amounts in their currency, a refund's sign, the customer.
fn check_together(
    resource: Resource,
    fields: &mut Fields,
    issues: &mut Vec<Issue>,
    knows_customer: impl Fn(&str) -> bool,
) {
    let currency = fields.text(resource, "currency").and_then(|code| Currency::from_code(&code));
    let is_refund = fields.json(resource, "type") == Some("\"refund\"");
    for (field, slot) in resource.fields().iter().zip(&mut fields.0) {
        let Some(json) = slot else { continue };
        let issue = match (field.kind, currency) {
            (Kind::Amount, Some(currency)) => match amount::accept(json, currency) {
                Ok(amount) if is_refund && amount.minor <= 0 => Some("must be positive for a refund".to_owned()),
                Ok(amount) => {
                    *json = amount.json.into();
                    None
                }
                Err(issue) => Some(issue),
            },
            (Kind::Customer, _) if !text::decode(json).is_some_and(|id| knows_customer(&id)) => {
                Some("is not the id of a customer".to_owned())
            }
            _ => None,
        };
        if let Some(issue) = issue
            && !issues.iter().any(|told| told.field == field.name)
        {
            issues.push(Issue { field: field.name.into(), issue });
        }
    }
}
