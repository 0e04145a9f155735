//! What Stripe's API was told to do wrong: a status for some calls, or for all until told otherwise.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// An outage of Stripe's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Failing {
    /// 400 to 599; `null` for none.
    pub status: Option<u16>,
    /// So many calls; all if left out.
    #[serde(default)]
    pub times: Option<u64>,
}

/// What is told now.
#[derive(Debug, Default)]
pub struct ApiOutage(Mutex<Failing>);

impl ApiOutage {
    /// Begins or ends one.
    pub fn set(&self, failing: Failing) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = failing;
    }

    /// What is told.
    pub fn get(&self) -> Failing {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The status that the next call is to be answered, if it is to fail.
    pub fn next(&self) -> Option<u16> {
        let mut failing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let status = failing.status?;
        match &mut failing.times {
            None => Some(status),
            Some(0) => None,
            Some(times) => {
                *times -= 1;
                Some(status)
            }
        }
    }
}
