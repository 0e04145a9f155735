//! One claimed record to FlashERP: look up what is unknown, then write what differs.
//!
//! Whatever answer is lost here, the verdict says unknown, and the next claim (after the settle time) looks before it writes. Dies the process between
//! sending and finishing, the lease's end says the same.

use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::instant;
use domain::mapping::{
    Base, Field, FieldValue, Fields, Leftover, Record, before_cancelling, body, changed_there, diff,
    diff_against_record, is_cancelled,
};
use domain::retry::RetryPolicy;
use domain::state::{Failure, Found, Settled, Verdict, look_up_again, settled, verdict};
use domain::{EntityType, ErrorCode, FlashErpId, Outcome, RequestId};
use events::SyncResult;
use flasherp::{Call, CallError, IdempotencyKey};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::attempt::{Attempt, AttemptError, End, Known, WriteCall, of_read};
use super::claim::Claimed;
use super::target::Target;

/// A push under way.
pub(super) struct Push<'a> {
    pub(super) target: &'a Target,
    pub(super) policy: &'a RetryPolicy,
    pub(super) call: Call,
    pub(super) claimed: Claimed,
    pub(super) wanted: &'a Fields,
    pub(super) known: Known,
    /// What nobody but a person in FlashERP can have changed of it while its outcome was unknown.
    open: &'static [Field],
    /// What one has changed while the outcome was unknown: not to be written over, FlashERP's word of it is taken as any other.
    theirs: Vec<Field>,
    /// Whether FlashERP is to tell it by our reference. One of its own is not written over.
    bears_our_reference: bool,
    writes: Vec<WriteCall>,
    duplicates: Vec<FlashErpId>,
}

/// What was found by a look-up.
enum LookUp {
    Record(Box<Record>),
    Nothing,
}

impl<'a> Push<'a> {
    pub(super) fn new(target: &'a Target, policy: &'a RetryPolicy, claimed: Claimed, wanted: &'a Fields) -> Self {
        let request_id = RequestId(Uuid::new_v4());
        Self {
            target,
            policy,
            call: Call::new(request_id).for_sync(claimed.id, claimed.lease_end),
            known: Known::of(&claimed),
            claimed,
            wanted,
            open: &[],
            theirs: Vec::new(),
            bears_our_reference: true,
            writes: Vec::new(),
            duplicates: Vec::new(),
        }
    }

    /// Of which nobody but a person in FlashERP can have changed these fields while its outcome was unknown.
    pub(super) fn open_to(self, open: &'static [Field]) -> Self {
        Self { open, ..self }
    }

    /// Whether FlashERP is to tell it by our reference; if not, one that it has of its own stays.
    pub(super) fn told_by(self, bears_our_reference: bool) -> Self {
        Self { bears_our_reference, ..self }
    }

    /// Goes on with an attempt that failed, for what is wanted now.
    pub(super) fn again(target: &'a Target, policy: &'a RetryPolicy, attempt: Attempt, wanted: &'a Fields) -> Self {
        let Attempt { claimed, request_id, known, writes, duplicates, .. } = attempt;
        let call = Call::new(request_id).for_sync(claimed.id, claimed.lease_end);
        let (open, theirs, bears_our_reference) = (&[], Vec::new(), true);
        Self { target, policy, call, claimed, wanted, known, open, theirs, bears_our_reference, writes, duplicates }
    }

    /// Brings FlashERP's record to what is wanted. `born`: when UpCoach's record was.
    #[tracing::instrument(name = "push", skip_all, fields(sync_id = %self.claimed.id, entity_type = %self.claimed.entity_type))]
    pub(super) async fn run(mut self, born: OffsetDateTime) -> Attempt {
        let end = self.end(born).await;
        self.into_attempt(end)
    }

    fn into_attempt(self, end: End) -> Attempt {
        Attempt {
            request_id: self.call.request_id,
            end,
            known: self.known,
            writes: self.writes,
            duplicates: self.duplicates,
            finished: Instant::now(),
            claimed: self.claimed,
        }
    }

    async fn end(&mut self, born: OffsetDateTime) -> End {
        if self.claimed.entity_type == EntityType::FinancialReport {
            return self.report().await;
        }
        if self.known.outcome == Outcome::Unknown {
            return self.settle().await;
        }
        match self.known.target_id.clone() {
            Some(id) if self.claimed.force => {
                match self.target.client.get(&self.call, self.claimed.entity_type, &id).await {
                    Ok(Some(record)) => self.bring_to_wanted(&record, Leftover::Clear).await,
                    Ok(None) => self.recreate().await,
                    Err(error) => self.failed_read(&error),
                }
            }
            Some(id) => {
                let difference = diff(self.wanted, &self.known.base);
                if difference.is_empty() {
                    return End::Synced(SyncResult::Unchanged);
                }
                self.update(&id, difference).await
            }
            None if self.may_be_there_already(born) => match self.look_up().await {
                Ok(LookUp::Record(record)) => self.adopt(&record).await,
                Ok(LookUp::Nothing) => self.create().await,
                Err(error) => self.failed_read(&error),
            },
            None => self.create().await,
        }
    }

    /// Looks up what an unknown outcome came to, without writing anything: for a record that is not to be written, and `end` says why. Should
    /// the look-up fail, it stays unknown and is looked up again.
    #[tracing::instrument(name = "look_up", skip_all, fields(sync_id = %self.claimed.id, entity_type = %self.claimed.entity_type))]
    pub(super) async fn only_look_up(mut self, end: End) -> Attempt {
        if self.claimed.entity_type == EntityType::FinancialReport {
            // There is nothing to look up: a report has no id, and what may have been written there is what the next one replaces.
            self.known.outcome = Outcome::Known;
            return self.into_attempt(end);
        }
        let end = match self.look_up_unknown().await {
            Err(error) => self.still_unknown(&error),
            Ok(looked_up) => {
                self.known.outcome = Outcome::Known;
                match &looked_up {
                    LookUp::Record(record) => {
                        self.known.holds(record);
                        self.known.base = Base::found(self.wanted, record, Leftover::Keep);
                    }
                    LookUp::Nothing if self.known.target_id.is_some() => self.known.lost(),
                    LookUp::Nothing => {}
                }
                end
            }
        };
        self.into_attempt(end)
    }

    async fn look_up_unknown(&mut self) -> Result<LookUp, CallError> {
        match &self.known.target_id {
            Some(id) => match self.target.client.get(&self.call, self.claimed.entity_type, id).await? {
                Some(record) => Ok(LookUp::Record(Box::new(record))),
                None => self.look_up().await,
            },
            None => self.look_up().await,
        }
    }

    fn still_unknown(&self, error: &CallError) -> End {
        let verdict = look_up_again(&error.failure(), self.policy, OffsetDateTime::now_utc(), rand::random());
        End::Failed { verdict, error: error.into(), because_of: None }
    }

    /// An unknown outcome is looked up before anything is written.
    async fn settle(&mut self) -> End {
        let looked_up = match self.look_up_unknown().await {
            Ok(looked_up) => looked_up,
            Err(error) => return self.still_unknown(&error),
        };
        self.known.outcome = Outcome::Known;
        let (found, record) = match &looked_up {
            LookUp::Nothing => (Found::Nothing, None),
            LookUp::Record(record) => {
                self.theirs = changed_there(self.open, self.wanted, &self.known.base, record);
                let same = self.found(record, Leftover::Clear).is_empty();
                (if same { Found::AsDesired } else { Found::Different }, Some(record))
            }
        };
        match (settled(found, self.known.retry_count, self.policy), record) {
            (Settled::Synced, _) => End::Synced(SyncResult::Adopted),
            (Settled::Write { retry_count }, Some(record)) => {
                self.known.retry_count = retry_count;
                self.bring_to_wanted(record, Leftover::Clear).await
            }
            (Settled::Write { retry_count }, None) => {
                self.known.retry_count = retry_count;
                if self.known.target_id.is_some() {
                    self.known.lost();
                }
                self.create().await
            }
            (Settled::Failed, _) => {
                let message =
                    "no write took effect, and the retries are spent; retry it by hand once the cause is mended";
                End::Failed {
                    verdict: Verdict::Failed,
                    error: AttemptError::new(ErrorCode::SyncFailed, message),
                    because_of: None,
                }
            }
        }
    }

    /// A record that is taken over: what we have is written over it, what else it holds stays.
    async fn adopt(&mut self, record: &Record) -> End {
        match self.bring_to_wanted(record, Leftover::Keep).await {
            End::Synced(_) => End::Synced(SyncResult::Adopted),
            other => other,
        }
    }

    /// Writes the difference between a record just read and what is wanted.
    async fn bring_to_wanted(&mut self, record: &Record, leftover: Leftover) -> End {
        let difference = self.found(record, leftover);
        if difference.is_empty() {
            return End::Synced(SyncResult::Unchanged);
        }
        match self.put(&record.id, &difference).await {
            Ok(_) => End::Synced(SyncResult::Updated),
            Err(error) => self.failed_write(&error),
        }
    }

    /// Takes over what FlashERP holds; what of it has to be written.
    fn found(&mut self, record: &Record, leftover: Leftover) -> Fields {
        let updated_at = self.known.target_updated_at;
        self.known.holds(record);
        if !self.theirs.is_empty() {
            // Of that change we have not been told yet: it must still look new.
            self.known.target_updated_at = updated_at;
        }
        let mut kept = self.theirs.clone();
        kept.extend((!self.bears_our_reference).then_some(Field::UpcoachReference));
        self.known.base = Base::found(self.wanted, record, leftover).keeping(&kept, &self.known.base);
        let mut difference = diff_against_record(self.wanted, record, leftover);
        difference.retain(|field, _| !kept.contains(field));
        difference
    }

    async fn update(&mut self, id: &FlashErpId, difference: Fields) -> End {
        match self.put(id, &difference).await {
            Ok(_) => End::Synced(SyncResult::Updated),
            Err(error) if error.says_not_found() => self.recreate().await,
            // Somebody else changed it: what it holds now decides.
            Err(error) if error.says_conflict() => {
                match self.target.client.get(&self.call, self.claimed.entity_type, id).await {
                    Ok(Some(record)) => self.bring_to_wanted(&record, Leftover::Clear).await,
                    Ok(None) => self.recreate().await,
                    Err(read) => self.failed_read(&read),
                }
            }
            Err(error) => self.failed_write(&error),
        }
    }

    /// The target is gone: what is left under our reference is taken over; only when nothing is, a new one is created.
    async fn recreate(&mut self) -> End {
        match self.look_up().await {
            Ok(LookUp::Record(record)) => self.adopt(&record).await,
            Ok(LookUp::Nothing) => {
                self.known.lost();
                self.create().await
            }
            Err(error) => self.failed_read(&error),
        }
    }

    async fn create(&mut self) -> End {
        let error = match self.post().await {
            Ok(_) => return End::Synced(SyncResult::Created),
            Err(error) => error,
        };
        if !error.says_conflict() {
            return self.failed_write(&error);
        }
        match self.look_up().await {
            Ok(LookUp::Record(record)) => self.adopt(&record).await,
            Ok(LookUp::Nothing) => {
                // The key is burnt, by a body of before: the next create has another.
                self.known.lost();
                self.failed_write(&error)
            }
            // Without the look-up, whether an earlier try of the same POST took effect is as unknown as before.
            Err(_) if !error.definite => self.failed_write(&error),
            Err(read) => self.failed_read(&read),
        }
    }

    /// By our reference. Of several the oldest is the one; the others are told of.
    async fn look_up(&mut self) -> Result<LookUp, CallError> {
        let reference = self.claimed.source_id.to_string();
        let found = self.target.client.find_by_reference(&self.call, self.claimed.entity_type, &reference).await?;
        let mut found = found.into_iter();
        let Some(oldest) = found.next() else { return Ok(LookUp::Nothing) };
        self.duplicates = found.map(|record| record.id).collect();
        Ok(LookUp::Record(Box::new(oldest)))
    }

    async fn post(&mut self) -> Result<Record, CallError> {
        let key = IdempotencyKey {
            key: self.claimed.id.create_key(self.known.generation),
            honoured: self.target.honours_keys(),
        };
        let bytes = Bytes::from(body(self.wanted));
        let begun = Instant::now();
        service::failpoint!("outbound.before_send");
        let answer = self.target.client.create(&self.call, self.claimed.entity_type, bytes, &key).await;
        service::failpoint!("outbound.after_send");
        let wanted = self.wanted;
        self.note("create", Some(key.key), wanted, answer.as_ref().map(Some), begun.elapsed());
        let record = answer?;
        self.known.holds(&record);
        self.known.base = std::mem::take(&mut self.known.base).after_write(self.wanted, Some(&record));
        Ok(record)
    }

    /// Writes a difference. A subscription is cancelled by its own call, after all else was told of it, if it isn't cancelled yet.
    async fn put(&mut self, id: &FlashErpId, difference: &Fields) -> Result<(), CallError> {
        let cancelled = match self.claimed.entity_type {
            EntityType::Subscription => before_cancelling(difference),
            EntityType::Customer | EntityType::Transaction | EntityType::Invoice | EntityType::FinancialReport => None,
        };
        let Some(rest) = cancelled else { return self.update_fields(id, difference).await.map(|_| ()) };
        let status: Fields =
            difference.iter().filter(|(field, _)| **field == Field::Status).map(|(f, v)| (*f, v.clone())).collect();
        if !rest.is_empty() {
            let record = self.update_fields(id, &rest).await?;
            if is_cancelled(&record) {
                self.known.base = std::mem::take(&mut self.known.base).after_write(&status, Some(&record));
                return Ok(());
            }
        }
        self.cancel(id, &status).await
    }

    async fn update_fields(&mut self, id: &FlashErpId, fields: &Fields) -> Result<Record, CallError> {
        let bytes = Bytes::from(body(fields));
        let begun = Instant::now();
        service::failpoint!("outbound.before_send");
        let answer = self.target.client.update(&self.call, self.claimed.entity_type, id, bytes).await;
        service::failpoint!("outbound.after_send");
        self.note("update", None, fields, answer.as_ref().map(Some), begun.elapsed());
        let record = answer?;
        self.known.holds(&record);
        self.known.base = std::mem::take(&mut self.known.base).after_write(fields, Some(&record));
        Ok(record)
    }

    async fn cancel(&mut self, id: &FlashErpId, status: &Fields) -> Result<(), CallError> {
        let begun = Instant::now();
        service::failpoint!("outbound.before_send");
        let answer = self.target.client.cancel_subscription(&self.call, id).await;
        service::failpoint!("outbound.after_send");
        self.note("cancel", None, status, answer.as_ref().map(Option::as_ref), begun.elapsed());
        let record = answer?;
        if let Some(record) = &record {
            self.known.holds(record);
        }
        self.known.base = std::mem::take(&mut self.known.base).after_write(status, record.as_ref());
        Ok(())
    }

    pub(super) fn note(
        &mut self,
        operation: &'static str,
        key: Option<String>,
        request: &Fields,
        answer: Result<Option<&Record>, &CallError>,
        duration: Duration,
    ) {
        // What was never sent is no write.
        if matches!(answer, Err(error) if error.handed_back && !error.sent) {
            return;
        }
        self.writes.push(WriteCall {
            operation,
            key,
            request: for_audit(request),
            response: answer.ok().flatten().map(|record| for_audit(&record.fields)),
            error: answer.err().map(AttemptError::from),
            definite: answer.err().is_none_or(|error| error.definite),
            duration,
        });
    }

    pub(super) fn failed_write(&mut self, error: &CallError) -> End {
        self.failed(&error.failure(), error)
    }

    fn failed_read(&mut self, error: &CallError) -> End {
        self.failed(&of_read(error), error)
    }

    fn failed(&mut self, failure: &Failure, error: &CallError) -> End {
        if failure.handed_back {
            // The write that a look-up has just allowed was never tried: it costs no retry.
            self.known.retry_count = self.claimed.retry_count;
        }
        let verdict =
            verdict(Err(failure), self.known.retry_count, self.policy, OffsetDateTime::now_utc(), rand::random());
        if matches!(verdict, Verdict::Unknown { .. }) {
            self.known.outcome = Outcome::Unknown;
        }
        End::Failed { verdict, error: error.into(), because_of: None }
    }

    /// A record that is older than the link to this FlashERP may be there, from before or from after a backup that we came from.
    fn may_be_there_already(&self, born: OffsetDateTime) -> bool {
        self.target.adopted_at.is_some_and(|adopted_at| born < adopted_at)
    }
}

/// What goes into the audit row: without secrets and personal data, amounts as text.
fn for_audit(fields: &Fields) -> Value {
    let value = |value: &FieldValue| match value {
        FieldValue::Text(text) | FieldValue::Raw(text) => Value::from(text.as_str()),
        FieldValue::Decimal(number) => Value::from(number.as_str()),
        FieldValue::Time(at) => Value::from(instant::text(*at)),
        FieldValue::Object(members) => {
            members.iter().map(|(name, member)| (name.clone(), Value::from(member.to_string()))).collect()
        }
        FieldValue::Null => Value::Null,
    };
    let payload: Value = fields.iter().map(|(field, held)| (field.as_str().to_owned(), value(held))).collect();
    secrets::redact::redact(&payload)
}
