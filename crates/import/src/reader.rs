//! From the stream of bytes to checked records, line by line.

use domain::EntityType;
use uuid::Uuid;

use crate::cell::{Cell, Row};
use crate::column;
use crate::error::{ImportError, LineError, Problem};
use crate::record::{self, Record, TYPE_FIELD, Unusable};
use crate::split::{Content, Mark, Piece, Splitter};
use crate::{Format, TYPES};

/// A record's place in the file.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) line: u64,
    /// As it came.
    pub(crate) raw: Vec<u8>,
}

/// What a record of the file turned out to be.
#[derive(Debug)]
pub(crate) enum Item {
    Record(Place, Record),
    Rejected(Place, LineError),
}

/// Reads records.
#[derive(Debug)]
pub(crate) struct Reader {
    splitter: Splitter,
    format: Format,
    of: Option<EntityType>,
    header: Option<Header>,
}

#[derive(Debug)]
struct Header {
    names: Vec<String>,
    raw: Vec<u8>,
}

impl Reader {
    /// `of`: what all records are; without it each says so itself.
    pub(crate) fn new(format: Format, of: Option<EntityType>) -> Self {
        Self { splitter: Splitter::new(format), format, of, header: None }
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.splitter.push(chunk);
    }

    pub(crate) fn end(&mut self) {
        self.splitter.end();
    }

    /// Where in the file it is.
    pub(crate) fn mark(&self) -> Mark {
        self.splitter.mark()
    }

    /// A CSV file's first line as it came.
    pub(crate) fn header(&self) -> Option<&[u8]> {
        self.header.as_ref().map(|header| header.raw.as_slice())
    }

    /// Passes over the next record; no if its end has not come yet, or none is left.
    ///
    /// # Errors
    /// The first line of a CSV file does not name the fields.
    pub(crate) fn skip(&mut self) -> Result<bool, ImportError> {
        Ok(self.piece()?.is_some())
    }

    /// The next record; none if its end has not come yet, or none is left.
    ///
    /// # Errors
    /// The first line of a CSV file does not name the fields.
    pub(crate) fn next(&mut self) -> Result<Option<Item>, ImportError> {
        let Some(Piece { line, raw, content }) = self.piece()? else { return Ok(None) };
        let row = match content {
            Content::Json => json(&raw),
            Content::Cells(cells) => self.row(cells),
            Content::Broken(why) => Err(Problem::of_line(why)),
        };
        let place = Place { line, raw };
        let refused = |kind, id, problems| LineError { line, entity_type: kind, id, problems };
        let read = row.map_err(|problem| Unusable { kind: self.of, id: None, problems: vec![problem] });
        Ok(Some(match read.and_then(|row| record::record(row, self.of)) {
            Ok(record) => Item::Record(place, record),
            Err(Unusable { kind, id, problems }) => Item::Rejected(place, refused(kind, id, problems)),
        }))
    }

    fn piece(&mut self) -> Result<Option<Piece>, ImportError> {
        if self.format == Format::Csv && self.header.is_none() {
            let Some(first) = self.splitter.next() else { return Ok(None) };
            let names = match first.content {
                Content::Cells(cells) => header_names(cells, self.of)?,
                Content::Broken(why) => return Err(ImportError::Header(why)),
                Content::Json => Vec::new(),
            };
            self.header = Some(Header { names, raw: first.raw });
        }
        Ok(self.splitter.next())
    }

    fn row(&self, cells: Vec<Vec<u8>>) -> Result<Row, Problem> {
        let names = self.header.as_ref().map_or(&[][..], |header| &header.names);
        if cells.len() != names.len() {
            let counts = format!("has {} cells, the first line {}", cells.len(), names.len());
            return Err(Problem::of_line(format!("{counts}; put cells that hold a comma in quotation marks")));
        }
        let mut row = Row::default();
        for (name, cell) in names.iter().zip(cells) {
            let text = String::from_utf8(cell).map_err(|_| Problem::of(name, "is not UTF-8"))?;
            let cell = if text.is_empty() { Cell::Empty } else { Cell::Untyped(text) };
            row.0.push((name.clone(), cell));
        }
        Ok(row)
    }
}

fn json(raw: &[u8]) -> Result<Row, Problem> {
    serde_json::from_slice(raw).map_err(|error| {
        // The parser's own words could repeat values.
        let what = match error.classify() {
            serde_json::error::Category::Data => "is no JSON object, or has a field twice".to_owned(),
            _ => format!("is no JSON object (column {})", error.column()),
        };
        Problem::of_line(what)
    })
}

fn header_names(cells: Vec<Vec<u8>>, of: Option<EntityType>) -> Result<Vec<String>, ImportError> {
    let mut names: Vec<String> = Vec::new();
    for cell in cells {
        let name = String::from_utf8(cell).map_err(|_| ImportError::Header("it is not UTF-8".to_owned()))?;
        let kinds = of.map_or(TYPES.to_vec(), |kind| vec![kind]);
        let is_known = kinds
            .iter()
            .filter_map(|kind| column::columns(*kind))
            .any(|columns| column::named(columns, &name).is_some());
        if !is_known && name != TYPE_FIELD {
            let all =
                kinds.iter().filter_map(|kind| Some(format!("of a {kind} {}", column::names(column::columns(*kind)?))));
            let there_are = all.collect::<Vec<_>>().join("; ");
            return Err(ImportError::Header(format!(
                "{name:?} is no field; separated by commas there are {there_are}"
            )));
        }
        if names.contains(&name) {
            return Err(ImportError::Header(format!("{name:?} is there twice")));
        }
        names.push(name);
    }
    if of.is_none() && !names.iter().any(|name| name == TYPE_FIELD) {
        let what = format!("{TYPE_FIELD} is missing; add it, or say what all records of the file are");
        return Err(ImportError::Header(what));
    }
    Ok(names)
}

impl Item {
    /// What tells one record from another.
    pub(crate) fn key(&self) -> Option<(EntityType, Uuid)> {
        match self {
            Self::Record(_, record) => Some((record.kind, record.id)),
            Self::Rejected(..) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0189d7c2-0f4b-7a31-9c55-6d2f6f0f7d11";

    fn read(format: Format, of: Option<EntityType>, file: &str) -> Result<Vec<String>, String> {
        let mut reader = Reader::new(format, of);
        reader.push(file.as_bytes());
        reader.end();
        let mut told = Vec::new();
        while let Some(item) = reader.next().map_err(|error| error.to_string())? {
            told.push(match item {
                Item::Record(place, record) => format!("line {}: {}", place.line, record.kind),
                Item::Rejected(_, error) => error.to_string(),
            });
        }
        Ok(told)
    }

    #[test]
    fn a_csv_file_may_hold_several_types() {
        let file = format!(
            "entityType,id,email,userId,status,amount,currency\ncustomer,{ID},a@example.com,,,,\ninvoice,{ID},,{ID},open,100,usd\n"
        );
        assert_eq!(read(Format::Csv, None, &file).expect("read"), ["line 2: customer", "line 3: invoice"]);
    }

    #[test]
    fn a_header_that_is_none_is_told_before_anything_is_read() {
        for (header, told) in [
            ("id;email\n", "\"id;email\" is no field; separated by commas there are of a customer id, email"),
            ("id,id\n", "\"id\" is there twice"),
        ] {
            let error = read(Format::Csv, Some(EntityType::Customer), header).expect_err("refused");
            assert!(error.contains(told), "{error}");
        }
        let error = read(Format::Csv, None, "id,email\n").expect_err("refused");
        assert!(error.contains("entityType is missing"), "{error}");
    }

    #[test]
    fn each_broken_line_is_told_with_its_number_and_costs_no_other() {
        let file = format!("id,email\n{ID},a@example.com\n{ID}\n{ID},\"open\n{ID},b@example.com\n");
        let told = read(Format::Csv, Some(EntityType::Customer), &file).expect("read");
        assert_eq!(told[0], "line 2: customer");
        assert!(told[1].starts_with("line 3: has 1 cells, the first line 2"), "{}", told[1]);
        assert!(told[2].starts_with("line 4: a cell's closing quotation mark is missing"), "{}", told[2]);
        assert_eq!(told[3], "line 5: customer");

        let file = format!("{{\"id\":\"{ID}\"}}\n{{\"id\":\n[]\n{{\"id\":\"{ID}\",\"id\":1}}\n");
        let told = read(Format::Ndjson, Some(EntityType::Customer), &file).expect("read");
        assert_eq!(told[0], "line 1: customer");
        assert!(told[1..].iter().all(|told| told.contains("is no JSON object")), "{told:?}");
    }
}
