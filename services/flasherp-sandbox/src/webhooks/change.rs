//! Which events a change of a record makes.

use super::{EventType, event};
use crate::{
    schema::{Fields, Resource},
    store::{Record, RecordId},
};

/// Who changed a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// A call of FlashERP's API, which is the integration.
    Api,
    /// Somebody inside FlashERP, behind the integration's back.
    Inside,
}

/// A record's change.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// Of which collection.
    pub resource: Resource,
    /// Which record.
    pub id: RecordId,
    /// Who changed it.
    pub author: Author,
    /// Its fields before; `None` if it is new.
    pub before: Option<&'a Fields>,
    /// Its fields now.
    pub fields: &'a Fields,
    /// The record now.
    pub record: &'a Record,
}

impl Change<'_> {
    /// Events and their `data`, in the order in which they are told.
    pub(super) fn events(&self, now_ms: i64) -> Vec<(EventType, String)> {
        let record = || String::from_utf8_lossy(&self.record.body).into_owned();
        match self.resource {
            Resource::Invoices => {
                let first = if self.before.is_none() { EventType::InvoiceCreated } else { EventType::InvoiceUpdated };
                let mut events = vec![(first, record())];
                if self.becomes("paid") {
                    events.push((EventType::InvoicePaid, record()));
                }
                events
            }
            Resource::Customers if self.before.is_some() => vec![(EventType::CustomerUpdated, record())],
            Resource::Transactions if self.becomes("failed") => {
                let id = self.id.render(self.resource);
                let reference = self.fields.text(self.resource, "upcoachReference").unwrap_or_default();
                vec![(EventType::PaymentFailed, event::payment_failed(&id, &reference, "card_declined", now_ms))]
            }
            Resource::Customers | Resource::Transactions | Resource::Subscriptions | Resource::Metrics => Vec::new(),
        }
    }

    fn becomes(&self, status: &str) -> bool {
        let is = |fields: &Fields| fields.text(self.resource, "status").is_some_and(|known| known == status);
        is(self.fields) && !self.before.is_some_and(is)
    }
}
