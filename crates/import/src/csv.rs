//! One record of a CSV file, by the letter of RFC 4180.
//!
//! A reader that makes the best of a stray quotation mark, as the usual ones do, can take many lines for one cell and lose them without a word.
//! Here a mark in a wrong place is an error of the line that the record began on, and reading goes on with the line behind it.

/// What the bytes begin with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    /// A record of so many bytes, its line end included.
    Record { cells: Vec<Vec<u8>>, bytes: usize },
    /// A record whose end has not come yet.
    Incomplete,
    /// No record.
    Broken(&'static str),
}

pub(crate) const UNCLOSED: &str = "a cell's closing quotation mark is missing";
const WITHIN: &str = "a quotation mark within a cell that does not begin with one: put the whole cell in quotation marks and double those within";
const BEHIND: &str = "text behind a cell's closing quotation mark: double the quotation marks within the cell";
const LONE_CR: &str = "a carriage return that ends no line: put the cell in quotation marks";

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    CellBegin,
    Plain,
    Quoted,
    /// Behind a mark within a quoted cell: its end, or the first of a doubled one.
    Mark,
}

/// Reads the record that `input` begins with; `is_all` when nothing follows it.
pub(crate) fn scan(input: &[u8], is_all: bool) -> Scan {
    let mut cells = Vec::new();
    let mut cell = Vec::new();
    let mut at = At::CellBegin;
    let mut index = 0;
    while let Some(&byte) = input.get(index) {
        index += 1;
        match (at, byte) {
            (At::Quoted, b'"') => at = At::Mark,
            (At::Quoted, _) => cell.push(byte),
            (At::Mark, b'"') => {
                cell.push(byte);
                at = At::Quoted;
            }
            (At::CellBegin, b'"') => at = At::Quoted,
            (At::Plain, b'"') => return Scan::Broken(WITHIN),
            (_, b',') => {
                cells.push(std::mem::take(&mut cell));
                at = At::CellBegin;
            }
            (_, b'\n') => {
                cells.push(cell);
                return Scan::Record { cells, bytes: index };
            }
            (_, b'\r') => match input.get(index) {
                Some(b'\n') => {}
                Some(_) => return Scan::Broken(LONE_CR),
                None if is_all => {}
                None => return Scan::Incomplete,
            },
            (At::Mark, _) => return Scan::Broken(BEHIND),
            (At::CellBegin | At::Plain, _) => {
                cell.push(byte);
                at = At::Plain;
            }
        }
    }
    match (is_all, at) {
        (false, _) => Scan::Incomplete,
        (true, At::Quoted) => Scan::Broken(UNCLOSED),
        (true, _) => {
            cells.push(cell);
            Scan::Record { cells, bytes: index }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cells(input: &str) -> Vec<String> {
        match scan(input.as_bytes(), true) {
            Scan::Record { cells, .. } => {
                cells.into_iter().map(|cell| String::from_utf8(cell).expect("UTF-8")).collect()
            }
            other => panic!("{input:?}: {other:?}"),
        }
    }

    #[test]
    fn cells_are_read_as_rfc_4180_writes_them() {
        assert_eq!(cells("a,b,c\r\n"), ["a", "b", "c"]);
        assert_eq!(cells(",,\n"), ["", "", ""]);
        assert_eq!(cells("\"a,\"\"b\"\"\nc\",d"), ["a,\"b\"\nc", "d"]);
        assert_eq!(cells("\"\",x"), ["", "x"]);
    }

    #[test]
    fn a_mark_in_a_wrong_place_breaks_the_record() {
        for (input, why) in [("a\"b,c\n", WITHIN), ("\"a\"b,c\n", BEHIND), ("\"a,b\n", UNCLOSED), ("a\rb\n", LONE_CR)] {
            assert_eq!(scan(input.as_bytes(), true), Scan::Broken(why), "{input:?}");
        }
        assert_eq!(scan(b"\"a,b\n", false), Scan::Incomplete);
        assert_eq!(scan(b"a,b\r", false), Scan::Incomplete);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(cells in prop::collection::vec(any::<String>(), 1..6)) {
            let line = cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect::<Vec<_>>().join(",");
            let input = format!("{line}\nnext,line\n");
            let expected = cells.iter().map(|cell| cell.as_bytes().to_vec()).collect();
            prop_assert_eq!(scan(input.as_bytes(), false), Scan::Record { cells: expected, bytes: line.len() + 1 });
        }

        #[test]
        fn nothing_panics(input in prop::collection::vec(prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), any::<u8>()], 0..64)) {
            scan(&input, true);
            scan(&input, false);
        }
    }
}
