//! How long a caller waits for the end of what it asked for.

use std::time::Duration;

use utoipa::IntoParams;

use crate::input::{Fields, FromFields};

/// How long the caller waits where nothing is said, in seconds.
const WAIT_SECS: i64 = 10;
/// How long at most.
const LONGEST_SECS: i64 = 30;

/// How long the caller waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait(pub(crate) Duration);

/// The same for what takes longer: 30 s where nothing is said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LongWait(pub(crate) Duration);

/// The parameters of [`LongWait`], for the API's description.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `LongWait` reads")]
pub(crate) struct LongWaitParameters {
    /// Seconds to wait for the end.
    #[param(minimum = 0, maximum = 30, default = 30)]
    wait: Option<i64>,
}

/// The parameters of [`Wait`], for the API's description.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `Wait` reads")]
pub(crate) struct WaitParameters {
    /// Seconds to wait for the end.
    #[param(minimum = 0, maximum = 30, default = 10)]
    wait: Option<i64>,
}

impl FromFields for Wait {
    fn read(fields: &mut Fields) -> Self {
        Self(read(fields, WAIT_SECS))
    }
}

impl FromFields for LongWait {
    fn read(fields: &mut Fields) -> Self {
        Self(read(fields, LONGEST_SECS))
    }
}

fn read(fields: &mut Fields, default: i64) -> Duration {
    let secs = fields.integer("wait", 0..=LONGEST_SECS).unwrap_or(default);
    Duration::from_secs(u64::try_from(secs).unwrap_or_default())
}
