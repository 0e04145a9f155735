//! Rows as CSV (RFC 4180). A cell that a spreadsheet would run as a formula is made text by an apostrophe before it. Pure.

use serde::Serialize;
use serde_json::Value;

/// A row that can be exported.
pub trait CsvRow: Serialize {
    /// The members of its JSON that are columns, in order.
    const COLUMNS: &'static [&'static str];
}

/// The first line.
#[must_use]
pub fn header<R: CsvRow>() -> String {
    line(R::COLUMNS.iter().map(|name| (*name).to_owned()))
}

/// A row's line.
///
/// # Errors
/// The row can't be written as JSON.
pub fn row<R: CsvRow>(row: &R) -> Result<String, serde_json::Error> {
    let value = serde_json::to_value(row)?;
    Ok(line(R::COLUMNS.iter().map(|name| text(value.get(name)))))
}

fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let mut line = cells.map(|cell| quoted(&cell)).collect::<Vec<_>>().join(",");
    line.push_str("\r\n");
    line
}

fn quoted(cell: &str) -> String {
    let runs = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let is_plain = !runs && !cell.contains([',', '"', '\r', '\n']);
    if is_plain {
        return cell.to_owned();
    }
    format!("\"{}{}\"", if runs { "'" } else { "" }, cell.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Shown {
        a: Option<&'static str>,
        b: Value,
    }

    impl CsvRow for Shown {
        const COLUMNS: &'static [&'static str] = &["a", "b"];
    }

    #[test]
    fn cells_with_commas_quotes_and_lines_are_quoted() {
        let shown = Shown { a: Some("a,\"b\"\r\nc"), b: serde_json::json!({"x": 1}) };
        assert_eq!(row(&shown).expect("JSON"), "\"a,\"\"b\"\"\r\nc\",\"{\"\"x\"\":1}\"\r\n");
        assert_eq!(row(&Shown { a: None, b: Value::Null }).expect("JSON"), ",\r\n");
        assert_eq!(header::<Shown>(), "a,b\r\n");
    }

    #[test]
    fn a_cell_that_a_spreadsheet_would_run_is_text() {
        for formula in ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "＝1"] {
            let cell = quoted(formula);
            assert_eq!(cell, format!("\"'{formula}\""));
        }
        assert_eq!(quoted("a=b"), "a=b");
    }
}
