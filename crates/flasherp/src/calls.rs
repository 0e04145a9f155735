//! FlashERP's calls, one function each.

use std::collections::HashSet;

use bytes::Bytes;
use domain::{EntityType, FlashErpId, mapping::Record};
use reqwest::{Method, header::HeaderValue};

use crate::{
    attempts::Repeat,
    call::{Call, IdempotencyKey, Operation, Subject},
    client::{Client, Outgoing},
    error::{CallError, CallResult},
    health::Health,
    page::{ListQuery, Page},
    reply,
};

/// More pages with one reference than this are no answer but a loop.
const MAX_FIND_PAGES: usize = 100;
/// FlashERP's limit for a key.
const KEY_MAX_CHARS: usize = 255;

impl Client {
    /// How FlashERP is, whether it lets us in, and what it can do.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn health(&self, call: &Call) -> CallResult<Health> {
        let outgoing = read(subject(Operation::Health, None, call), self.url(&["health"], &[])?);
        self.run(call, outgoing, reply::health).await
    }

    /// Makes a record of `body` ([`domain::mapping::body`]). A failure that is not definite may have made it.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn create(
        &self,
        call: &Call,
        entity: EntityType,
        body: Bytes,
        key: &IdempotencyKey,
    ) -> CallResult<Record> {
        let url = self.url(&[collection(entity)?], &[])?;
        let outgoing = keyed(subject(Operation::Create, Some(entity), call), url, body, key)?;
        self.run(call, outgoing, reply::record).await
    }

    /// Makes, or replaces, the financial report of a period. FlashERP gives reports no id.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn report(&self, call: &Call, body: Bytes, key: &IdempotencyKey) -> CallResult<()> {
        let url = self.url(&["metrics"], &[])?;
        let outgoing = keyed(subject(Operation::Report, Some(EntityType::FinancialReport), call), url, body, key)?;
        self.run(call, outgoing, reply::object).await
    }

    /// Changes the fields that `body` gives, clears those that it gives as null. A failure that is not definite may have changed them.
    ///
    /// # Errors
    /// [`CallError`]; a deleted record [`CallError::says_not_found`].
    pub async fn update(&self, call: &Call, entity: EntityType, id: &FlashErpId, body: Bytes) -> CallResult<Record> {
        let outgoing = Outgoing {
            repeat: Repeat::Unsent,
            method: Method::PUT,
            body: Some(body),
            ..read(subject(Operation::Update, Some(entity), call), self.url(&[collection(entity)?, id.as_str()], &[])?)
        };
        self.run(call, outgoing, reply::record).await
    }

    /// Cancels a subscription; one that is cancelled stays so. The record, if FlashERP answers with it.
    ///
    /// # Errors
    /// [`CallError`]; a deleted record [`CallError::says_not_found`].
    pub async fn cancel_subscription(&self, call: &Call, id: &FlashErpId) -> CallResult<Option<Record>> {
        let entity = EntityType::Subscription;
        let outgoing = Outgoing {
            method: Method::DELETE,
            ..read(subject(Operation::Cancel, Some(entity), call), self.url(&[collection(entity)?, id.as_str()], &[])?)
        };
        self.run(call, outgoing, reply::record_or_nothing).await
    }

    /// A record by FlashERP's id; none only if FlashERP itself says that there is none.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn get(&self, call: &Call, entity: EntityType, id: &FlashErpId) -> CallResult<Option<Record>> {
        let url = self.url(&[collection(entity)?, id.as_str()], &[])?;
        match self.run(call, read(subject(Operation::Get, Some(entity), call), url), reply::record).await {
            Ok(record) => Ok(Some(record)),
            Err(error) if error.says_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All records with our reference, oldest first: all pages, and nothing but exact matches, whatever the filter did.
    ///
    /// # Errors
    /// [`CallError`]: also for a single record that cannot be read, since it could be the one looked for.
    pub async fn find_by_reference(&self, call: &Call, entity: EntityType, reference: &str) -> CallResult<Vec<Record>> {
        let query = ListQuery { reference: Some(reference.to_owned()), ..ListQuery::default() };
        let subject = subject(Operation::Find, Some(entity), call);
        let mut found = Vec::new();
        let mut cursor: Option<String> = None;
        let mut seen = HashSet::new();
        loop {
            let page = self.page(call, subject, entity, &query, cursor.as_deref()).await?;
            found.extend(page.records.into_iter().filter(|record| record.reference() == Some(reference)));
            match page.next_cursor {
                None => break,
                Some(next) if seen.len() < MAX_FIND_PAGES && seen.insert(next.clone()) => cursor = Some(next),
                Some(_) => return Err(CallError::unreadable(200, "FlashERP's pages have no end")),
            }
        }
        found.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(found)
    }

    /// A page of records.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn list(
        &self,
        call: &Call,
        entity: EntityType,
        query: &ListQuery,
        cursor: Option<&str>,
    ) -> CallResult<Page> {
        self.page(call, subject(Operation::List, Some(entity), call), entity, query, cursor).await
    }

    async fn page(
        &self,
        call: &Call,
        subject: Subject,
        entity: EntityType,
        query: &ListQuery,
        cursor: Option<&str>,
    ) -> CallResult<Page> {
        let url = self.url(&[collection(entity)?], &query.pairs(cursor))?;
        self.run(call, read(subject, url), reply::page).await
    }
}

const fn subject(operation: Operation, entity: Option<EntityType>, call: &Call) -> Subject {
    Subject { operation, entity, sync_id: call.sync_id }
}

fn read(subject: Subject, url: url::Url) -> Outgoing {
    Outgoing { subject, repeat: Repeat::Harmless, method: Method::GET, url, body: None, idempotency_key: None }
}

fn keyed(subject: Subject, url: url::Url, body: Bytes, key: &IdempotencyKey) -> CallResult<Outgoing> {
    let value = HeaderValue::from_str(&key.key).ok().filter(|_| key.key.is_ascii() && key.key.len() <= KEY_MAX_CHARS);
    let value = value.ok_or_else(|| CallError::unusable("the idempotency key cannot be sent"))?;
    let repeat = if key.honoured { Repeat::Keyed } else { Repeat::Unsent };
    Ok(Outgoing { repeat, method: Method::POST, body: Some(body), idempotency_key: Some(value), ..read(subject, url) })
}

/// Where FlashERP keeps records of a type.
fn collection(entity: EntityType) -> CallResult<&'static str> {
    match entity {
        EntityType::Customer => Ok("customers"),
        EntityType::Transaction => Ok("transactions"),
        EntityType::Subscription => Ok("subscriptions"),
        EntityType::Invoice => Ok("invoices"),
        EntityType::FinancialReport => Err(CallError::unusable("financial reports have no records in FlashERP")),
    }
}
