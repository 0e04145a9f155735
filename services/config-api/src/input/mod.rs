//! How requests are read: strictly. Whatever is not known or not understood is refused and named, so that a misspelt filter does not list
//! everything and a misspelt field is not thought saved.

mod extract;
mod fields;
pub mod json;

pub use extract::{Body, Query};
pub use fields::{Fields, FromFields, Nothing};
