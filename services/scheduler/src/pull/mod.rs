//! `pull-missed-events`: what Stripe and FlashERP tell when asked and no webhook has told of, through the same path and dedup as any webhook.
//!
//! From a stored cursor, a little before it ([`PullSettings::overlap`]), up to a little before now ([`PullSettings::grace`]), a page is fetched and
//! stored (`ingress.store`, which passes over what is there); when all pages of a window are stored, the cursor moves. A process that dies
//! anywhere in between has the next run read the window again: nothing is left out, and what was stored is known by its event id.
//!
//! Either source fails alone: the other's cursor moves.

mod behind;
mod flasherp;
mod store;
mod stripe;
mod window;

use domain::ErrorCode;
use messaging::Hints;
use serde_json::{Value, json};
use sqlx::PgPool;
use syncs::target::{Targets, Unusable};
use time::OffsetDateTime;

pub(crate) use behind::watch_behind;

use crate::config::PullSettings;
use crate::run::{Done, Failed, Run, StepError};

/// The names of the cursors in `scheduling.jobs.resume_after`, and of the sources in metrics.
const STRIPE: &str = "stripe";
const FLASHERP: &str = "flasherp";

/// The job.
#[derive(Debug)]
pub(crate) struct Pull {
    pub(crate) pool: PgPool,
    pub(crate) hints: Hints,
    pub(crate) stripe: Option<::stripe::Client>,
    pub(crate) targets: Targets,
    pub(crate) settings: PullSettings,
}

/// What came of a source.
#[derive(Debug, Default)]
struct Tally {
    /// Events or records looked at.
    read: u64,
    /// Of these, those that no webhook had brought.
    found: u64,
    /// Up to when everything is known.
    until: Option<OffsetDateTime>,
    /// Why the source was not asked.
    skipped: Option<&'static str>,
}

/// Why a source could not be read to its end.
#[derive(Debug, thiserror::Error)]
enum PullError {
    #[error(transparent)]
    Stripe(#[from] ::stripe::StripeError),
    #[error(transparent)]
    Flasherp(#[from] ::flasherp::CallError),
    #[error(transparent)]
    Unconfigured(#[from] Unusable),
    #[error(transparent)]
    Step(#[from] StepError),
}

impl From<sqlx::Error> for PullError {
    fn from(error: sqlx::Error) -> Self {
        Self::Step(error.into())
    }
}

impl PullError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Stripe(error) => error.code(),
            Self::Flasherp(error) => error.code,
            Self::Unconfigured(_) => ErrorCode::ConfigInvalid,
            Self::Step(_) => ErrorCode::InternalError,
        }
    }
}

impl Pull {
    pub(crate) async fn work(&self, run: &Run) -> Result<Done, Failed> {
        let (mut from_stripe, mut from_flasherp) = (Tally::default(), Tally::default());
        let (stripe, flasherp) =
            tokio::join!(self.stripe(run, &mut from_stripe), self.flasherp(run, &mut from_flasherp));
        let done = Done {
            items: from_stripe.found + from_flasherp.found,
            result: json!({STRIPE: from_stripe.told(), FLASHERP: from_flasherp.told()}),
        };
        let errors: Vec<(&str, PullError)> = [(STRIPE, stripe.err()), (FLASHERP, flasherp.err())]
            .into_iter()
            .filter_map(|(s, e)| Some((s, e?)))
            .collect();
        let Some((_, first)) = errors.first() else { return Ok(done) };
        let code = first.code();
        let message = errors.iter().map(|(source, error)| format!("{source}: {error}")).collect::<Vec<_>>().join("; ");
        Err(Failed { code, message, done })
    }
}

impl Tally {
    fn told(&self) -> Value {
        match self.skipped {
            Some(reason) => json!({"skipped": reason}),
            None => json!({"read": self.read, "found": self.found, "until": self.until.map(domain::instant::text)}),
        }
    }
}
