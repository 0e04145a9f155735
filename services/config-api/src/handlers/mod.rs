//! From HTTP to use cases and back. A file a subject; `routes` names them all.

pub(crate) mod docs;
pub(crate) mod unmatched;
