//! Whether FlashERP as a whole is in trouble, asked of its /health after a failed call: once for all that fail together.
//!
//! The check tells its own end to the gate, as every health check does; here it is only waited for. It goes on when nobody waits any more.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::RequestId;
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use uuid::Uuid;

use crate::{call::Call, client::Client};

/// A health check's try takes no longer than this: an answer that comes later is no better than none.
const TRY: Duration = Duration::from_secs(5);

/// The check under way, if there is one.
#[derive(Default)]
pub(crate) struct Confirming {
    running: Mutex<Option<Shared<BoxFuture<'static, ()>>>>,
}

impl Confirming {
    /// Joins the check under way, or begins one.
    pub(crate) fn check(&self, client: &Client) -> Shared<BoxFuture<'static, ()>> {
        // Nothing panics while it is held.
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = running.as_ref().filter(|running| running.peek().is_none()) {
            return running.clone();
        }
        let check = ask(client.clone()).shared();
        tokio::spawn(check.clone());
        *running = Some(check.clone());
        check
    }
}

/// A function of its own, that calls a call, so that the compiler need not look through the circle.
fn ask(client: Client) -> BoxFuture<'static, ()> {
    async move {
        let call = Call::new(RequestId(Uuid::new_v4())).within(TRY.min(client.timeout()));
        if let Err(error) = client.health(&call).await {
            tracing::warn!(
                code = error.code.as_str(),
                stage = "health",
                "FlashERP's health check failed after a failed call"
            );
        }
    }
    .boxed()
}
