//! A financial report to FlashERP: an upsert. FlashERP gives reports no id and keeps one for each period and currency, so there is nothing to look up:
//! an unknown outcome waits until the write can no longer take effect late, and is then written again.

use std::time::Instant;

use bytes::Bytes;
use domain::mapping::{Base, body, diff};
use domain::state::{Found, Settled, Verdict, settled};
use domain::{ErrorCode, Outcome};
use events::SyncResult;
use flasherp::IdempotencyKey;
use sha2::{Digest as _, Sha256};

use super::attempt::{AttemptError, End};
use super::push::Push;

impl Push<'_> {
    /// Writes the report unless it is as it was written last.
    pub(super) async fn report(&mut self) -> End {
        if self.known.outcome == Outcome::Unknown {
            // What was written may be there or not; the next write is the same in both cases, and is a retry.
            self.known.outcome = Outcome::Known;
            match settled(Found::Different, self.known.retry_count, self.policy) {
                Settled::Write { retry_count } => self.known.retry_count = retry_count,
                Settled::Synced | Settled::Failed => {
                    let message = "the retries are spent; retry it by hand once the cause is mended";
                    return End::Failed {
                        verdict: Verdict::Failed,
                        error: AttemptError::new(ErrorCode::SyncFailed, message),
                        because_of: None,
                    };
                }
            }
        } else if !self.claimed.force && diff(self.wanted, &self.known.base).is_empty() {
            return End::Synced(SyncResult::Unchanged);
        }
        let result = if self.known.base.is_empty() { SyncResult::Created } else { SyncResult::Updated };
        let bytes = Bytes::from(body(self.wanted));
        let key = IdempotencyKey {
            key: format!("report:{}:{}", self.claimed.id, hex::encode(Sha256::digest(&bytes))),
            honoured: self.target.honours_keys(),
        };
        let begun = Instant::now();
        service::failpoint!("outbound.report_before_send");
        let answer = self.target.client.report(&self.call, bytes, &key).await;
        service::failpoint!("outbound.report_after_send");
        let wanted = self.wanted;
        self.note("report", Some(key.key), wanted, answer.as_ref().map(|()| None), begun.elapsed());
        match answer {
            Ok(()) => {
                // It replaces the whole one that was there.
                self.known.base = Base::default().after_write(wanted, None);
                End::Synced(result)
            }
            Err(error) => self.failed_write(&error),
        }
    }
}
