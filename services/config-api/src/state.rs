//! What all handlers share.

use std::sync::Arc;

use messaging::{Broker, Outbox};
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::facts::Facts;
use crate::live::Hub;
use crate::other_side::OtherSide;
use crate::overview::metrics::Overview;
use crate::{Config, OUTBOX};

/// One for the whole process; the handlers of all of the server's threads have it as `web::Data<State>`.
pub struct State {
    /// Under this service's own role.
    pub pool: PgPool,
    /// For hints, and to hear facts.
    pub broker: Broker,
    /// What the environment says.
    pub config: Config,
    /// What happens, for those who listen.
    pub live: Arc<Hub>,
    /// Cancelled when the process is to stop: what goes on for long ends then.
    pub shutdown: CancellationToken,
    /// Where to wait for what is said of a sync.
    pub facts: Facts,
    /// The metrics computed last.
    pub overview: Overview,
    /// FlashERP, as previews ask it.
    pub(crate) other_side: OtherSide,
    /// Rung after a commit that put a fact into the outbox.
    pub(crate) relay: Arc<Notify>,
}

impl State {
    /// The facts of this service's schema.
    #[must_use]
    pub const fn outbox(&self) -> &'static Outbox {
        &OUTBOX
    }

    /// To be called after each commit that stated a fact, so that it is told at once.
    pub fn told_facts(&self) {
        self.relay.notify_one();
    }
}
