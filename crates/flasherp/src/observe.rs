//! How a call went, for metrics. The client knows no metrics library: whoever builds it passes an [`Observer`].

use std::time::Duration;

use domain::ErrorCode;

use crate::call::Subject;

/// A finished call.
#[derive(Debug, Clone, Copy)]
pub struct Observation {
    /// What it was.
    pub subject: Subject,
    /// Tries made; 0 when it was not let in or the lease was too short.
    pub tries: u32,
    /// From the first try to the verdict, pauses between tries included, waiting for a turn not.
    pub duration: Duration,
    /// None when it succeeded.
    pub failure: Option<ErrorCode>,
    /// FlashERP's last status, if there was one.
    pub http_status: Option<u16>,
}

/// Told of every call's end.
pub trait Observer: Send + Sync {
    /// Takes note. Called on the caller's task: quick, and never blocking.
    fn observed(&self, observation: &Observation);
}
