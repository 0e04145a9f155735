//! Full syncs and bulk actions are carried on: asked for chunk by chunk, settled and counted, whoever made them and whichever worker began.
//!
//! A worker that dies leaves a batch where its last chunk's transaction left it; the next one goes on from there.

use std::time::Duration;

use super::role::Outbound;

/// How often batches are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Records asked for in one transaction.
const CHUNK: i64 = 1000;
/// Of a batch so many are asked for ahead of their answers at most: enough for a second of work, and little to take back.
const AHEAD: i64 = 10_000;

impl Outbound {
    pub(super) async fn carry_on_batches(self) {
        self.every(LOOK, "batches", async |outbound: &Self| {
            for batch in syncs::batch::unfinished(&outbound.shared.pool).await? {
                outbound.carry_on(batch).await?;
            }
            Ok(())
        })
        .await;
    }

    async fn carry_on(&self, batch: domain::BatchId) -> Result<(), sqlx::Error> {
        let pool = &self.shared.pool;
        let Some(mut open) = syncs::batch::settle(pool, batch).await? else { return Ok(()) };
        while open < AHEAD {
            let Some(asked) = syncs::batch::ask(pool, batch, CHUNK).await? else {
                return Ok(());
            };
            open += asked;
            self.shared.poll_now.notify_one();
        }
        Ok(())
    }
}
