//! FlashERP refuses a dependent for its customer: the customer it was told of is not there (any more). The customer is checked, which makes it anew if it
//! is gone, and the dependent is written once more.
//!
//! Dying in between leaves two leases that run out, and two rows that are looked up.

use domain::state::Verdict;
use domain::{EntityType, ErrorCode, Origin, UserId};
use syncs::SourceRecord;
use time::OffsetDateTime;

use super::attempt::{Attempt, End};
use super::claim::{self, Which};
use super::customers::{self, Customer, without_customer};
use super::fold::Wish;
use super::push::Push;
use super::role::Outbound;
use super::target::Target;

/// FlashERP's name of the field.
const CUSTOMER_ID: &str = "customerId";

impl Attempt {
    /// Whether FlashERP refused it for its customer.
    fn is_refused_for_customer(&self) -> bool {
        let End::Failed { verdict: Verdict::Failed, error, .. } = &self.end else { return false };
        error.code == ErrorCode::ValidationError
            && error.http_status.is_some()
            && error.details.iter().any(|issue| issue.field == CUSTOMER_ID)
    }
}

impl Outbound {
    /// The attempt, or what came of another one after its customer was checked.
    pub(super) async fn with_customer_checked(
        &self,
        target: &Target,
        attempt: Attempt,
        record: &SourceRecord,
    ) -> Attempt {
        let Some(user) = record.depends_on().filter(|_| attempt.is_refused_for_customer()) else { return attempt };
        match self.check_customer(target, user).await {
            Ok(true) => self.once_more(target, attempt, record, user).await,
            // Somebody else has it in hand, or it waits for its time.
            Ok(false) => self.later(attempt),
            Err(error) => {
                tracing::warn!(error = error.to_string(), stage = "customers", "a customer could not be checked");
                self.later(attempt)
            }
        }
    }

    /// Looks the customer up in FlashERP and makes it anew if it is gone. False: it was not this worker's to check.
    async fn check_customer(&self, target: &Target, user: UserId) -> Result<bool, sqlx::Error> {
        let wish = Wish {
            entity_type: EntityType::Customer,
            source_id: user.as_uuid(),
            origin: Origin::Heal,
            force: true,
            batches: Vec::new(),
            requests: 1,
            since: OffsetDateTime::now_utc(),
        };
        let lease = self.shared.settings.lease;
        let taken = claim::fold_and_claim(&self.shared.pool, Which::Checked(&wish), lease).await?;
        let Some(customer) = taken.claimed.into_iter().next() else { return Ok(false) };
        self.push_customer(target, customer).await;
        service::failpoint!("outbound.customer_checked");
        Ok(true)
    }

    async fn once_more(&self, target: &Target, attempt: Attempt, record: &SourceRecord, user: UserId) -> Attempt {
        let customer = match customers::states(&self.shared.pool, &[user.as_uuid()]).await {
            Ok(mut states) => states.remove(&user),
            Err(error) => {
                tracing::warn!(error = error.to_string(), stage = "customers", "a checked customer could not be read");
                None
            }
        };
        let id = match customer {
            Some(Customer::Ready(id)) => id,
            Some(Customer::Ended { sync, why }) => {
                return Attempt { end: without_customer(user, Some(sync), &why), ..attempt };
            }
            Some(Customer::OnItsWay(_)) | None => return self.later(attempt),
        };
        match record.map(Some(&id)) {
            Some(Ok(wanted)) => {
                let push = Push::again(target, &self.shared.settings.policy, attempt, &wanted);
                push.told_by(record.bears_our_reference()).run(record.born()).await
            }
            // It has mapped before, and nothing but the customer is new.
            Some(Err(_)) | None => attempt,
        }
    }

    /// A retry, while there are any.
    fn later(&self, mut attempt: Attempt) -> Attempt {
        let policy = &self.shared.settings.policy;
        let spent = attempt.known.retry_count;
        if let End::Failed { verdict, .. } = &mut attempt.end
            && spent < policy.max_retries
        {
            *verdict = Verdict::Retry { at: OffsetDateTime::now_utc() + policy.backoff(spent + 1, rand::random()) };
        }
        attempt
    }
}
