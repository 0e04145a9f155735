//! Where a ciphertext lies. It is authenticated with it, so that one copied to another row or column does not decrypt there.

use std::fmt;

use uuid::Uuid;

/// A column of a row. Written `config.erp_configurations/<row id>/<column>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// With its schema.
    pub table: &'a str,
    pub row: Uuid,
    pub column: &'a str,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.table, self.row, self.column)
    }
}
