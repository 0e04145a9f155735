//! FlashERP's records that changed since (`updatedSince`), as the events that would have told of them.
//!
//! What we know already is left out: a record whose values are those that we sent or were answered is the echo of our own write. All else is
//! stored under `pull:<type>:<id>:<updatedAt>`, and merged as any webhook's. A record that changes while the pages are read is, on
//! FlashERP's clock, younger than the window's end, so that the next run reads it again.

use std::collections::{BTreeMap, HashMap};

use ::flasherp::{Call, Client, ListQuery};
use domain::mapping::{Base, Field, Record};
use domain::{EntityType, RequestId};
use events::WebhookSource;
use serde::{Deserialize, Serialize};
use service::metrics::Counter;
use sqlx::types::Json;
use syncs::target::{Target, Unusable};
use time::OffsetDateTime;
use uuid::Uuid;
use webhooks::flasherp::pulled;

use super::store::{self, Fetched};
use super::window::Window;
use super::{FLASHERP, Pull, PullError, Tally};
use crate::run::Run;

/// Records a page; FlashERP's most is 500.
const LIMIT: u16 = 200;
/// The types that FlashERP sends events of.
const KINDS: [EntityType; 3] = [EntityType::Customer, EntityType::Invoice, EntityType::Transaction];

/// Up to when everything is known, by type, on FlashERP's clock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cursor {
    /// Another FlashERP is read from its beginning.
    pub(super) base_url: String,
    pub(super) until: BTreeMap<String, Instant>,
}

/// A time, as RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Instant(#[serde(with = "time::serde::rfc3339")] pub(super) OffsetDateTime);

impl Pull {
    /// Reads what changed in FlashERP.
    pub(super) async fn flasherp(&self, run: &Run, tally: &mut Tally) -> Result<(), PullError> {
        let target = match self.targets.in_use().await {
            Err(Unusable::Absent | Unusable::Off) => {
                tally.skipped = Some("the integration is not switched on");
                return Ok(());
            }
            target => target?,
        };
        let call = Call::new(RequestId(run.id));
        if !target.client.health(&call).await?.capabilities.updated_since {
            tally.skipped = Some("this FlashERP has no updatedSince");
            return Ok(());
        }
        let stored: Option<Cursor> =
            run.resume_after(FLASHERP).await?.and_then(|stored| serde_json::from_value(stored).ok());
        let mut cursor = stored.filter(|stored| stored.base_url == target.base_url).unwrap_or_default();
        cursor.base_url.clone_from(&target.base_url);
        for kind in KINDS {
            self.flasherp_kind(run, &target, kind, &mut cursor, tally).await?;
        }
        tally.until = cursor.until.values().map(|at| at.0).min();
        Ok(())
    }

    async fn flasherp_kind(
        &self,
        run: &Run,
        target: &Target,
        kind: EntityType,
        cursor: &mut Cursor,
        tally: &mut Tally,
    ) -> Result<(), PullError> {
        let now = run.now().await?;
        let known = cursor.until.get(kind.as_str()).map(|at| at.0);
        let first = target.adopted_at.unwrap_or(now) - self.settings.overlap;
        let Some(window) = Window::after(known, first, now, self.settings) else { return Ok(()) };
        self.flasherp_pages(run, &target.client, kind, window, tally).await?;
        cursor
            .until
            .insert(kind.as_str().to_owned(), Instant(known.map_or(window.until, |known| known.max(window.until))));
        service::failpoint!("pull.before_cursor");
        run.set_resume_after(FLASHERP, &serde_json::json!(cursor)).await?;
        service::failpoint!("pull.after_cursor");
        Ok(())
    }

    async fn flasherp_pages(
        &self,
        run: &Run,
        client: &Client,
        kind: EntityType,
        window: Window,
        tally: &mut Tally,
    ) -> Result<(), PullError> {
        let call = Call::new(RequestId(run.id));
        let query = ListQuery { updated_since: Some(window.from), limit: Some(LIMIT), ..ListQuery::default() };
        let mut next: Option<String> = None;
        loop {
            let page = client.list(&call, kind, &query, next.as_deref()).await?;
            service::failpoint!("pull.fetched");
            let count = page.records.len() as u64;
            tally.read += count;
            Counter::MissedEventsRead.add(count, &[("source", FLASHERP)]);
            let old_enough: Vec<Record> =
                page.records.into_iter().filter(|record| record.updated_at < window.until).collect();
            let known = self.known(kind, &old_enough).await?;
            let now = run.now().await?;
            let missed: Vec<Fetched> = old_enough
                .iter()
                .filter(|record| is_news(kind, record, known.get(record.id.as_str())))
                .filter_map(|record| pulled(kind, record, now))
                .filter_map(|event| Fetched::read(event.body).map(|read| read.occurred_at(event.occurred_at)))
                .collect();
            tally.found += store::store(&self.pool, &self.hints, WebhookSource::Flasherp, run.id, missed).await?;
            match page.next_cursor {
                Some(cursor) => next = Some(cursor),
                None => return Ok(()),
            }
        }
    }

    /// What we last agreed on with FlashERP, by its ids; nothing of records that we don't know.
    async fn known(&self, kind: EntityType, records: &[Record]) -> Result<HashMap<String, Base>, sqlx::Error> {
        let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
        let rows: Vec<(String, Option<Json<Base>>)> = sqlx::query_as(
            "SELECT target_id, base_payload FROM sync.for_readers WHERE source_type::text = $1 AND target_id = ANY ($2)",
        )
        .bind(kind.as_str())
        .bind(ids)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|(id, base)| (id, base.map_or_else(Base::default, |base| base.0))).collect())
    }
}

/// The fields that FlashERP's people may change or say something about, and that an event would be merged for.
const fn merged(kind: EntityType) -> &'static [Field] {
    match kind {
        EntityType::Customer => &[Field::Name, Field::Email],
        EntityType::Invoice => &[Field::Status, Field::Amount, Field::Currency, Field::DueDate, Field::PaidAt],
        EntityType::Transaction => &[Field::Status],
        EntityType::Subscription | EntityType::FinancialReport => &[],
    }
}

/// Whether a record says anything that we don't know.
fn is_news(kind: EntityType, record: &Record, base: Option<&Base>) -> bool {
    let Some(base) = base else {
        // FlashERP tells nobody of a customer that it made for itself, only of changes of those that are ours.
        let is_ours = record.reference().is_some_and(|reference| reference.parse::<Uuid>().is_ok());
        return kind != EntityType::Customer || is_ours;
    };
    merged(kind).iter().any(|field| {
        let theirs = record.get(*field);
        theirs.is_some()
            && !base.get(*field).is_some_and(|base| theirs == Some(&base.sent) || theirs == Some(&base.answered))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::mapping::{FieldValue, Fields};

    const REFERENCE: &str = "0189d7c2-0f4b-7a31-9c55-6d2f6f0f7d11";

    fn record(members: &str) -> Record {
        let head = r#""id":"c_1","createdAt":"2026-11-24T08:00:00Z","updatedAt":"2026-11-24T09:30:00Z""#;
        Record::parse(&format!("{{{head}{members}}}")).expect("a record")
    }

    /// We sent the name with spaces, and FlashERP trimmed it.
    fn base() -> Base {
        let sent = Fields::from([(Field::Name, FieldValue::text(" Ada ")), (Field::Email, FieldValue::text("a@b.c"))]);
        Base::default().after_write(&sent, Some(&record(r#","name":"Ada","email":"a@b.c""#)))
    }

    #[test]
    fn our_own_values_as_sent_or_as_answered_are_no_news() {
        for name in [" Ada ", "Ada"] {
            let echo = record(&format!(r#","name":"{name}","email":"a@b.c","phone":"1""#));
            assert!(!is_news(EntityType::Customer, &echo, Some(&base())), "{name}");
        }
        assert!(is_news(EntityType::Customer, &record(r#","name":"Eve","email":"a@b.c""#), Some(&base())));
    }

    #[test]
    fn a_change_that_our_own_later_write_was_answered_with_is_news() {
        // We sent a name alone; that the e-mail is another by now stands in the record only.
        let sent = Fields::from([(Field::Name, FieldValue::text("Bea"))]);
        let base = base().after_write(&sent, Some(&record(r#","name":"Bea","email":"new@b.c""#)));
        assert!(is_news(EntityType::Customer, &record(r#","name":"Bea","email":"new@b.c""#), Some(&base)));
    }

    #[test]
    fn of_records_that_we_dont_know_invoices_are_news_and_customers_only_with_our_reference() {
        assert!(is_news(EntityType::Invoice, &record(""), None));
        assert!(!is_news(EntityType::Customer, &record(""), None));
        assert!(!is_news(EntityType::Customer, &record(r#","upcoachReference":"theirs""#), None));
        assert!(is_news(EntityType::Customer, &record(&format!(r#","upcoachReference":"{REFERENCE}""#)), None));
    }
}
