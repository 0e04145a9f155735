//! The fields of a record by the names that the line gives them, not yet looked at.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A value as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    /// JSON's null, an empty cell of CSV.
    Empty,
    Text(String),
    Integer(i64),
    /// Of CSV: whatever its column is.
    Untyped(String),
    /// Something that no field is.
    Other(&'static str),
}

/// A record's fields in the order of the file, no name twice.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Row(pub(crate) Vec<(String, Cell)>);

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RowVisitor)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let mut row = Row::default();
        while let Some((name, cell)) = map.next_entry::<String, Cell>()? {
            if row.0.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(format_args!("the field {name:?} is there twice")));
            }
            row.0.push((name, cell));
        }
        Ok(row)
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell::Empty)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Cell, E> {
        Ok(Cell::Other("true or false"))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Cell, E> {
        Ok(Cell::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Cell, E> {
        Ok(i64::try_from(number).map_or(Cell::Other("a number out of range"), Cell::Integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Cell, E> {
        Ok(Cell::Other("a number with a fraction, or out of range"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cell, E> {
        Ok(Cell::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Cell, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cell::Other("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Cell, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cell::Other("an object"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_a_row_and_a_name_that_is_there_twice_is_none() {
        let row: Row =
            serde_json::from_str(r#"{"a":"x","b":-3,"c":null,"d":1.5,"e":[1,{}],"f":{"g":[]},"h":true,"i":1e3}"#)
                .expect("a row");
        let cells: Vec<_> = row.0.into_iter().map(|(_, cell)| cell).collect();
        let fraction = Cell::Other("a number with a fraction, or out of range");
        assert_eq!(
            cells,
            [
                Cell::Text("x".to_owned()),
                Cell::Integer(-3),
                Cell::Empty,
                fraction.clone(),
                Cell::Other("a list"),
                Cell::Other("an object"),
                Cell::Other("true or false"),
                fraction,
            ]
        );
        assert!(serde_json::from_str::<Row>(r#"{"a":1,"a":1}"#).is_err());
        assert!(serde_json::from_str::<Row>("[]").is_err());
    }
}
