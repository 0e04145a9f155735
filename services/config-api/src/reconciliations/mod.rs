//! Reconciliations: asked for, followed, and what is done about their findings (design section 7). The reconciler carries them out.

pub mod decide;
pub mod findings;
pub mod request;
pub mod runs;
