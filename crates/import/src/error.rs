//! What goes wrong with a line, and what ends an import.

use std::error::Error;
use std::fmt;

use domain::EntityType;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What is wrong with one field of a line, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The field as the line calls it; empty when it is about the whole line.
    pub field: String,
    /// In words, without values of other records.
    pub issue: String,
}

impl Problem {
    pub(crate) fn of(field: impl Into<String>, issue: impl Into<String>) -> Self {
        Self { field: field.into(), issue: issue.into() }
    }

    pub(crate) fn of_line(issue: impl Into<String>) -> Self {
        Self::of("", issue)
    }
}

/// A line that was not imported, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LineError {
    /// Counted from 1; of a CSV record over several lines the first one.
    pub line: u64,
    /// What it would have been, where that could be read.
    pub entity_type: Option<EntityType>,
    /// Its id, where that could be read.
    pub id: Option<Uuid>,
    /// At least one.
    pub problems: Vec<Problem>,
}

/// Problems of one line that are kept with the import's row.
const KEPT_PROBLEMS: usize = 20;
/// Characters of a text that are kept there: a field's name may be as long as its line.
const KEPT_TEXT: usize = 200;

impl LineError {
    /// As it is kept with the import's row, where it has to be small.
    pub(crate) fn clipped(&self) -> Self {
        let clip = |text: &str| text.chars().take(KEPT_TEXT).collect();
        let problems = self.problems.iter().take(KEPT_PROBLEMS);
        Self {
            problems: problems
                .map(|problem| Problem { field: clip(&problem.field), issue: clip(&problem.issue) })
                .collect(),
            ..*self
        }
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let (Some(kind), Some(id)) = (self.entity_type, self.id) {
            write!(f, " ({kind} {id})")?;
        }
        for (index, problem) in self.problems.iter().enumerate() {
            f.write_str(if index == 0 { ": " } else { "; " })?;
            if !problem.field.is_empty() {
                write!(f, "{}: ", problem.field)?;
            }
            f.write_str(&problem.issue)?;
        }
        Ok(())
    }
}

/// Why an import ended before its file did. What was committed stays.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The first line of a CSV file does not name the fields.
    #[error("the file's first line: {0}")]
    Header(String),
    /// The file can't be read any further.
    #[error("the file can't be read any further")]
    Source(#[source] Box<dyn Error + Send + Sync>),
    /// What was imported under this key before was another file.
    #[error(
        "this is not the file that this key was first used with: it differs from its first {records} records; take the same file, or another key"
    )]
    Differs {
        /// How many records of the first file were taken.
        records: u64,
    },
    /// The key is that of another batch.
    #[error("this key belongs to another job, or to an import with other options; take another key")]
    KeyTaken,
    /// A person cancelled it, or another run with the same key has come further.
    #[error("the import was cancelled, or another run of it goes on at the same time; what is committed stays")]
    NoLongerOurs,
    /// UpCoach's records are views here.
    #[error("UpCoach's records are views over its own tables here (UPCOACH_MODE=views): change them in UpCoach")]
    Views,
    /// The database can't be reached, or refused something that no line is to blame for.
    #[error("the database")]
    Database(#[from] sqlx::Error),
}
