//! From a row of the file to what the database takes: every field checked, everything wrong named at once. Pure.

use std::collections::BTreeSet;

use domain::EntityType;
use domain::money::Money;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::cell::{Cell, Row};
use crate::column::{self, Column, Kind};
use crate::error::Problem;

/// The field of a line that says what it is, in a file of several types.
pub(crate) const TYPE_FIELD: &str = "entityType";

/// A record that the database takes, its members called as the columns are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) kind: EntityType,
    pub(crate) id: Uuid,
    pub(crate) members: Map<String, Value>,
}

/// Why a row is no record, with what could be read of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unusable {
    pub(crate) kind: Option<EntityType>,
    pub(crate) id: Option<Uuid>,
    pub(crate) problems: Vec<Problem>,
}

/// Checks a row. `of`: what all records of the file are, if that was said.
pub(crate) fn record(row: Row, of: Option<EntityType>) -> Result<Record, Unusable> {
    let mut problems = Vec::new();
    let (kind, fields) = match kind_of(row, of) {
        Ok(found) => found,
        Err(problem) => return Err(Unusable { kind: of, id: None, problems: vec![problem] }),
    };
    let columns = column::columns(kind).unwrap_or_default();
    let mut members = Map::new();
    let mut seen = BTreeSet::new();
    for (name, cell) in fields {
        let Some(column) = column::named(columns, &name) else {
            // Of a CSV file of several types: another type's column.
            if cell == Cell::Empty {
                continue;
            }
            problems.push(Problem::of(name, format!("no field of a {kind}; there are {}", column::names(columns))));
            continue;
        };
        if !seen.insert(column.column) {
            problems.push(Problem::of(column.name, format!("is there twice, also as {}", column.column)));
            continue;
        }
        match value(column, cell) {
            Ok(Some(value)) => {
                members.insert(column.column.to_owned(), value);
            }
            Ok(None) => {}
            Err(issue) => problems.push(Problem::of(name, issue)),
        }
    }
    let missing = columns.iter().filter(|column| column.is_required && !seen.contains(column.column));
    problems.extend(missing.map(|column| Problem::of(column.name, "is missing")));
    if problems.is_empty() {
        problems.extend(money_problem(&members));
    }
    let id = members.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok());
    match id {
        Some(id) if problems.is_empty() => Ok(Record { kind, id, members }),
        id => Err(Unusable { kind: Some(kind), id, problems }),
    }
}

/// What the row is, and its other fields.
fn kind_of(row: Row, of: Option<EntityType>) -> Result<(EntityType, Vec<(String, Cell)>), Problem> {
    let (told, fields): (Vec<_>, Vec<_>) = row.0.into_iter().partition(|(name, _)| name == TYPE_FIELD);
    let told = match told.into_iter().next() {
        None => None,
        Some((_, Cell::Text(text) | Cell::Untyped(text))) => {
            let kind = text.parse::<EntityType>().ok().filter(|kind| column::columns(*kind).is_some());
            Some(kind.ok_or_else(|| Problem::of(TYPE_FIELD, "write customer, subscription, transaction or invoice"))?)
        }
        Some(_) => return Err(Problem::of(TYPE_FIELD, "write customer, subscription, transaction or invoice")),
    };
    match (told, of) {
        (Some(told), Some(of)) if told != of => {
            Err(Problem::of(TYPE_FIELD, format!("is {told}, but this file was said to hold {of} records alone")))
        }
        (Some(kind), _) | (None, Some(kind)) => Ok((kind, fields)),
        (None, None) => Err(Problem::of(
            TYPE_FIELD,
            "is missing: write customer, subscription, transaction or invoice, or say what all records of the file are",
        )),
    }
}

/// A field's value; none if what it says is nothing that could be said.
fn value(column: &Column, cell: Cell) -> Result<Option<Value>, String> {
    if cell == Cell::Empty {
        return match column.column {
            // never empty in the table: it keeps what it has
            "created_at" | "updated_at" | "refunded_amount" => Ok(None),
            _ if column.is_required => Err("is empty".to_owned()),
            _ => Ok(Some(Value::Null)),
        };
    }
    match column.kind {
        Kind::Amount { may_be_negative } => {
            let amount = match &cell {
                Cell::Integer(amount) => Some(*amount),
                Cell::Untyped(text) => text.parse().ok(),
                _ => None,
            };
            match amount {
                Some(amount) if amount >= 0 || may_be_negative => Ok(Some(amount.into())),
                Some(_) => Err("is negative; write 0 or more".to_owned()),
                None => {
                    Err("is not a whole number; amounts are in Stripe's units: 1099 for 10.99 usd, 500 for 500 jpy"
                        .to_owned())
                }
            }
        }
        kind => {
            let text = match cell {
                Cell::Text(text) | Cell::Untyped(text) => text,
                Cell::Integer(_) => return Err("is a number; write text".to_owned()),
                Cell::Other(what) => return Err(format!("is {what}; write text")),
                Cell::Empty => String::new(),
            };
            of_text(kind, &text).map(Some)
        }
    }
}

fn of_text(kind: Kind, text: &str) -> Result<Value, String> {
    if text.contains('\0') {
        return Err("holds a NUL character; leave it out".to_owned());
    }
    match kind {
        Kind::Uuid => match text.parse::<Uuid>() {
            Ok(id) => Ok(id.to_string().into()),
            Err(_) => Err("is not a UUID".to_owned()),
        },
        Kind::Text(most) => match text.chars().count() {
            length if length > most => Err(format!("has {length} characters; {most} at most")),
            _ => Ok(text.into()),
        },
        Kind::Label(labels) => {
            let labels = labels();
            if labels.contains(&text) { Ok(text.into()) } else { Err(format!("is none of {}", labels.join(", "))) }
        }
        Kind::Currency => match domain::money::currency(text) {
            Ok(_) => Ok(text.into()),
            Err(error) => Err(error.to_string()),
        },
        Kind::Time => match OffsetDateTime::parse(text, &Rfc3339) {
            Ok(at) => at.format(&Rfc3339).map(Value::from).map_err(|_| "is out of range".to_owned()),
            Err(_) => Err("is not a time of RFC 3339, such as 2026-11-24T09:30:00Z".to_owned()),
        },
        Kind::Amount { .. } => Err("is not a whole number".to_owned()),
    }
}

/// An amount that FlashERP could not be told is better known now.
fn money_problem(members: &Map<String, Value>) -> Option<Problem> {
    let currency = members.get("currency")?.as_str()?;
    ["amount", "refunded_amount"].into_iter().find_map(|name| {
        let amount = members.get(name)?.as_i64()?;
        let error = Money::from_stripe(amount, currency).err()?;
        let name = if name == "amount" { name } else { "refundedAmount" };
        Some(Problem::of(name, error.to_string()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0189d7c2-0f4b-7a31-9c55-6d2f6f0f7d11";

    fn read(json: &str, of: Option<EntityType>) -> Result<Record, Vec<String>> {
        let row = serde_json::from_str(json).expect("a row");
        record(row, of).map_err(|unusable| {
            unusable.problems.iter().map(|problem| format!("{}: {}", problem.field, problem.issue)).collect()
        })
    }

    #[test]
    fn a_line_may_name_its_fields_as_the_api_or_as_the_table_does() {
        let camel = format!(r#"{{"entityType":"customer","id":"{ID}","stripeCustomerId":"cus_1","name":null}}"#);
        let snake = format!(r#"{{"id":"{ID}","stripe_customer_id":"cus_1","name":null}}"#);
        let record = read(&camel, None).expect("a record");
        assert_eq!(record, read(&snake, Some(EntityType::Customer)).expect("the same"));
        let members = serde_json::to_string(&record.members).expect("JSON");
        assert_eq!(members, format!(r#"{{"id":"{ID}","name":null,"stripe_customer_id":"cus_1"}}"#));
    }

    #[test]
    fn everything_wrong_with_a_line_is_named_at_once() {
        let line = format!(
            r#"{{"id":"{ID}","userId":7,"type":"gift","amount":10.5,"currency":"xyz","createdAt":"yesterday","colour":"red","refundedAmount":-1}}"#
        );
        let problems = read(&line, Some(EntityType::Transaction)).expect_err("no record");
        let fields: Vec<_> = problems.iter().filter_map(|problem| problem.split(':').next()).collect();
        assert_eq!(fields, ["userId", "type", "amount", "currency", "createdAt", "colour", "refundedAmount", "status"]);
        assert!(problems[2].contains("Stripe's units"), "{}", problems[2]);
    }

    #[test]
    fn an_amount_that_is_none_in_its_currency_is_refused() {
        let line = |amount: i64, currency: &str| {
            format!(r#"{{"id":"{ID}","userId":"{ID}","status":"open","amount":{amount},"currency":"{currency}"}}"#)
        };
        assert!(read(&line(501, "isk"), Some(EntityType::Invoice)).is_err());
        assert!(read(&line(500, "isk"), Some(EntityType::Invoice)).is_ok());
        assert!(read(&line(500, "jpy"), Some(EntityType::Invoice)).is_ok());
    }

    #[test]
    fn a_line_without_a_type_or_of_another_one_is_refused() {
        let line = format!(r#"{{"id":"{ID}"}}"#);
        assert!(read(&line, None).is_err());
        let report = format!(r#"{{"entityType":"financial_report","id":"{ID}"}}"#);
        assert!(read(&report, None).is_err());
        let other = format!(r#"{{"entityType":"invoice","id":"{ID}"}}"#);
        assert!(read(&other, Some(EntityType::Customer)).is_err());
    }
}
