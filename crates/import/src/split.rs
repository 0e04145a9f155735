//! Cuts a stream of bytes into records, holding no more than one of them and the chunk it came in.
//!
//! What is no record costs the line that it begins on and no other, also where a quotation mark opens what nothing closes.

use sha2::{Digest as _, Sha256};

use crate::csv::{self, Scan};
use crate::{Format, RECORD_BYTES};

/// A record as it stands in the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The line that it begins on, counted from 1.
    pub(crate) line: u64,
    /// Its bytes with their line end; none of a record that is too long.
    pub(crate) raw: Vec<u8>,
    pub(crate) content: Content,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A line, to be read as JSON.
    Json,
    /// The cells of a CSV record.
    Cells(Vec<Vec<u8>>),
    /// Nothing that could be read, and why.
    Broken(String),
}

/// The file, as far as it has come and is not yet cut.
#[derive(Debug)]
pub(crate) struct Splitter {
    format: Format,
    buffer: Vec<u8>,
    /// Where in the buffer the next record begins.
    begin: usize,
    line: u64,
    is_ended: bool,
    is_begun: bool,
    /// The line of a record that is too long and whose end has not come yet.
    too_long_since: Option<u64>,
    digest: Sha256,
}

/// A place in the file, known by all records before it.
#[derive(Debug, Clone)]
pub(crate) struct Mark(Sha256);

impl Mark {
    /// SHA-256 of the records before it, in hexadecimal digits.
    pub(crate) fn digest(&self) -> String {
        hex::encode(self.0.clone().finalize())
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl Splitter {
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            buffer: Vec::new(),
            begin: 0,
            line: 1,
            is_ended: false,
            is_begun: false,
            too_long_since: None,
            digest: Sha256::new(),
        }
    }

    /// More of the file.
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.buffer.drain(..self.begin);
        self.begin = 0;
        self.buffer.extend_from_slice(chunk);
    }

    /// Nothing more will come.
    pub(crate) fn end(&mut self) {
        self.is_ended = true;
    }

    /// Behind the last record that was cut.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.digest.clone())
    }

    /// The next record; none if its end has not come yet, or none is left.
    pub(crate) fn next(&mut self) -> Option<Piece> {
        if !self.is_begun {
            if self.buffer.len() < BYTE_ORDER_MARK.len() && !self.is_ended {
                return None;
            }
            self.is_begun = true;
            if self.buffer.starts_with(BYTE_ORDER_MARK) {
                self.begin = BYTE_ORDER_MARK.len();
            }
        }
        if let Some(line) = self.too_long_since {
            return self.skip_rest(line);
        }
        while let Some(byte @ (b'\n' | b'\r')) = self.buffer.get(self.begin) {
            self.line += u64::from(*byte == b'\n');
            self.begin += 1;
        }
        let left = &self.buffer[self.begin..];
        if left.is_empty() {
            return None;
        }
        let (bytes, content) = match self.format {
            Format::Ndjson => (self.first_line()?, Content::Json),
            Format::Csv => match csv::scan(left, self.is_ended) {
                Scan::Record { cells, bytes } => (bytes, Content::Cells(cells)),
                Scan::Broken(why) => (self.first_line()?, Content::Broken(why.to_owned())),
                Scan::Incomplete if left.len() > RECORD_BYTES => {
                    (self.first_line()?, Content::Broken(csv::UNCLOSED.to_owned()))
                }
                Scan::Incomplete => return None,
            },
        };
        if bytes > RECORD_BYTES {
            let line = self.line;
            self.consume(bytes);
            return Some(too_long(line));
        }
        let piece = Piece { line: self.line, raw: self.buffer[self.begin..self.begin + bytes].to_vec(), content };
        self.consume(bytes);
        Some(piece)
    }

    /// Bytes up to the end of this line. None if that has not come yet; then, if the line is too long already, it is skipped from here on.
    fn first_line(&mut self) -> Option<usize> {
        let left = &self.buffer[self.begin..];
        match left.iter().position(|byte| *byte == b'\n') {
            Some(end) => Some(end + 1),
            None if self.is_ended => Some(left.len()),
            None => {
                if left.len() > RECORD_BYTES {
                    self.too_long_since = Some(self.line);
                    self.consume(left.len());
                }
                None
            }
        }
    }

    fn skip_rest(&mut self, line: u64) -> Option<Piece> {
        let left = &self.buffer[self.begin..];
        let end = left.iter().position(|byte| *byte == b'\n').map(|end| end + 1);
        let bytes = end.unwrap_or(left.len());
        self.consume(bytes);
        if end.is_none() && !self.is_ended {
            return None;
        }
        self.too_long_since = None;
        Some(too_long(line))
    }

    fn consume(&mut self, bytes: usize) {
        let taken = &self.buffer[self.begin..self.begin + bytes];
        self.digest.update(taken);
        self.line += taken.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
        self.begin += bytes;
    }
}

fn too_long(line: u64) -> Piece {
    let why =
        format!("longer than {RECORD_BYTES} bytes; shorten its texts (it is not among the rejected lines written)");
    Piece { line, raw: Vec::new(), content: Content::Broken(why) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(format: Format, chunks: &[&[u8]]) -> (Vec<Piece>, String) {
        let mut splitter = Splitter::new(format);
        let mut pieces = Vec::new();
        for chunk in chunks {
            splitter.push(chunk);
            while let Some(piece) = splitter.next() {
                pieces.push(piece);
            }
        }
        splitter.end();
        while let Some(piece) = splitter.next() {
            pieces.push(piece);
        }
        (pieces, splitter.mark().digest())
    }

    fn lines_and_broken(format: Format, input: &str) -> Vec<(u64, bool)> {
        let (pieces, _) = pieces(format, &[input.as_bytes()]);
        pieces.iter().map(|piece| (piece.line, matches!(piece.content, Content::Broken(_)))).collect()
    }

    #[test]
    fn lines_are_counted_over_blank_ones_and_cells_of_several_lines() {
        assert_eq!(lines_and_broken(Format::Ndjson, "\u{feff}{}\n\n{}\r\n{}"), [(1, false), (3, false), (4, false)]);
        assert_eq!(lines_and_broken(Format::Csv, "a,\"b\nb\"\n\r\nc,d\n"), [(1, false), (4, false)]);
    }

    #[test]
    fn a_mark_that_nothing_closes_costs_its_line_alone() {
        assert_eq!(
            lines_and_broken(Format::Csv, "a,b\nc,\"d\ne,f\ng,\"h\"\ni,j\n"),
            [(1, false), (2, true), (3, false), (4, false), (5, false)]
        );
    }

    #[test]
    fn what_is_too_long_is_skipped_to_its_line_end_in_constant_memory() {
        let mut splitter = Splitter::new(Format::Ndjson);
        splitter.push(b"{}\n");
        assert_eq!(splitter.next().map(|piece| piece.line), Some(1));
        for _ in 0..1000 {
            splitter.push(&[b'x'; 4096]);
            assert_eq!(splitter.next(), None);
            assert!(splitter.buffer.len() <= RECORD_BYTES + 2 * 4096, "{}", splitter.buffer.len());
        }
        splitter.push(b"x\n{}\n");
        let piece = splitter.next().expect("the long line");
        assert_eq!((piece.line, piece.raw.len(), matches!(piece.content, Content::Broken(_))), (2, 0, true));
        assert_eq!(splitter.next().map(|piece| (piece.line, piece.content)), Some((3, Content::Json)));
    }

    proptest! {
        #[test]
        fn however_a_file_is_cut_into_chunks_its_records_are_the_same(
            file in "([a-c]{0,3}[,\"\n\r]{0,2}){0,30}", cut in any::<prop::sample::Index>(), is_csv: bool,
        ) {
            let format = if is_csv { Format::Csv } else { Format::Ndjson };
            let (one, two) = file.as_bytes().split_at(cut.index(file.len() + 1));
            let whole = pieces(format, &[file.as_bytes()]);
            prop_assert_eq!(&pieces(format, &[one, two]), &whole);
            let single: Vec<&[u8]> = file.as_bytes().chunks(1).collect();
            prop_assert_eq!(&pieces(format, &single), &whole);
            // every byte but those of blank lines is in one record
            let held: usize = whole.0.iter().map(|piece| piece.raw.len()).sum();
            let content = file.bytes().filter(|byte| !b"\r\n".contains(byte)).count();
            let of_records: usize = whole.0.iter().flat_map(|piece| &piece.raw).filter(|byte| !b"\r\n".contains(byte)).count();
            prop_assert_eq!(of_records, content);
            prop_assert!(held <= file.len());
        }
    }
}
