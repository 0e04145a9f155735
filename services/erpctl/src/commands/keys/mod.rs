//! `erpctl keys`: keys for the secrets in the database.

mod generate;
mod rotate;

pub(crate) use generate::generate;
pub(crate) use rotate::rotate;
