//! Every environment variable of every binary, in one table, from which the reader checks values and the README is written.
//!
//! A service reads its settings with [`read`]: all mistakes (missing, unparsable, out of range, unknown name) come back in one
//! error that says for each what to write instead. The value of a secret is never repeated. Nothing is read from the process
//! environment anywhere else.

mod common;
mod env;
mod markdown;
mod mistakes;
mod setting;
mod table;
mod unknown;

pub use common::Common;
pub use env::{Env, read};
pub use markdown::{NoMarkers, in_readme, markdown_table};
pub use mistakes::{Mistake, Mistakes};
pub use setting::{Kind, Need, Setting};
pub use table::*;
