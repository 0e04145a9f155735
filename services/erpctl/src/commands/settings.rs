//! `erpctl settings`: the table of environment variables, as the README has it.

use crate::failure::Failure;
use crate::output::print;

pub(crate) fn run() -> Result<(), Failure> {
    print(&service::settings::markdown_table())
}
