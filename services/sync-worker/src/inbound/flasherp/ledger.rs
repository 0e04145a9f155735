//! The rows that a batch of FlashERP's events may touch, in memory, and what is to be said of them.

use std::collections::{BTreeMap, HashMap};

use domain::mapping::Base;
use domain::upcoach::InvoiceOrigin;
use domain::{EntityType, SyncId};
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::merge::{Conflict, Policy};
use crate::inbound::stripe::books::Alert;

/// A row of `sync.erp_syncs`, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Sync {
    pub(crate) id: Uuid,
    pub(crate) source_type: String,
    pub(crate) source_id: Uuid,
    pub(crate) target_id: Option<String>,
    /// In a worker's hands, or of unknown outcome: whatever FlashERP tells may be of our own write.
    pub(crate) in_hand: bool,
    #[sqlx(json(nullable))]
    pub(crate) base_payload: Option<Base>,
    pub(crate) target_created_at: Option<OffsetDateTime>,
    pub(crate) target_updated_at: Option<OffsetDateTime>,
}

/// A row of `upcoach.users`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub(crate) struct User {
    pub(crate) id: Uuid,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) stripe_customer_id: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) updated_at: OffsetDateTime,
}

/// A row of `upcoach.invoices`. The amount is in Stripe's units of `currency`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub(crate) struct Invoice {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) subscription_id: Option<Uuid>,
    pub(crate) transaction_id: Option<Uuid>,
    pub(crate) stripe_invoice_id: Option<String>,
    pub(crate) flasherp_invoice_id: Option<String>,
    pub(crate) origin: String,
    pub(crate) status: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) due_date: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) paid_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) updated_at: OffsetDateTime,
}

impl Invoice {
    /// Whether it was born in FlashERP.
    pub(crate) fn is_flasherps(&self) -> bool {
        self.origin == InvoiceOrigin::Flasherp.as_str()
    }
}

/// A row of `upcoach.transactions`, as far as FlashERP may change it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub(crate) struct Transaction {
    pub(crate) id: Uuid,
    pub(crate) status: String,
    pub(crate) stripe_transaction_id: Option<String>,
    pub(crate) stripe_refund_id: Option<String>,
    pub(crate) failure_reason: Option<String>,
}

impl Transaction {
    /// Whether Stripe decides of it.
    pub(crate) const fn is_stripes(&self) -> bool {
        self.stripe_transaction_id.is_some() || self.stripe_refund_id.is_some()
    }
}

/// Rows by id, with what they were.
#[derive(Debug)]
pub(crate) struct Rows<R> {
    rows: BTreeMap<Uuid, (R, Option<R>)>,
}

impl<R> Default for Rows<R> {
    fn default() -> Self {
        Self { rows: BTreeMap::new() }
    }
}

impl<R: Clone + PartialEq> Rows<R> {
    /// What the database holds.
    pub(crate) fn load(rows: impl IntoIterator<Item = R>, id: impl Fn(&R) -> Uuid) -> Self {
        Self { rows: rows.into_iter().map(|row| (id(&row), (row.clone(), Some(row)))).collect() }
    }

    pub(crate) fn get(&self, id: Uuid) -> Option<&R> {
        self.rows.get(&id).map(|(row, _)| row)
    }

    pub(crate) fn set(&mut self, id: Uuid, row: R) {
        self.rows.entry(id).and_modify(|(known, _)| *known = row.clone()).or_insert_with(|| (row, None));
    }

    pub(crate) fn find(&self, is_it: impl Fn(&R) -> bool) -> Option<&R> {
        self.rows.values().map(|(row, _)| row).find(|row| is_it(row))
    }

    /// To be inserted, in id order.
    pub(crate) fn made(&self) -> Vec<&R> {
        self.rows.values().filter(|(_, was)| was.is_none()).map(|(row, _)| row).collect()
    }

    /// To be updated, in id order, with what they were.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (&R, &R)> {
        self.rows.values().filter_map(|(row, was)| Some((row, was.as_ref()?))).filter(|(row, was)| row != was)
    }

    /// To be updated, in id order.
    pub(crate) fn changed(&self) -> Vec<&R> {
        let changed = |(row, was): &&(R, Option<R>)| was.as_ref().is_some_and(|was| was != row);
        self.rows.values().filter(changed).map(|(row, _)| row).collect()
    }
}

/// A conflict, for the audit trail.
#[derive(Debug)]
pub(crate) struct Dispute {
    pub(crate) event: String,
    pub(crate) entity: (EntityType, Uuid),
    pub(crate) sync: Option<Uuid>,
    pub(crate) conflict: Conflict,
}

/// What is read and written.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) policy: Policy,
    pub(crate) syncs: Rows<Sync>,
    pub(crate) users: Rows<User>,
    pub(crate) invoices: Rows<Invoice>,
    pub(crate) transactions: Rows<Transaction>,
    /// Users by FlashERP's id of them.
    pub(crate) customers: HashMap<String, Uuid>,
    pub(crate) disputes: Vec<Dispute>,
    pub(crate) alerts: Vec<Alert>,
    /// Records of which UpCoach's version has to be sent.
    pub(crate) pushes: Vec<(EntityType, Uuid)>,
    /// Whether FlashERP's word asks for a look at everything, and the event that said so.
    pub(crate) reconcile: Vec<String>,
}

impl Ledger {
    /// The sync of a record of FlashERP's: by its id there, then by our reference.
    pub(crate) fn sync_of(&self, kind: EntityType, target: &str, reference: Option<Uuid>) -> Option<&Sync> {
        let by_target = |sync: &Sync| sync.source_type == kind.as_str() && sync.target_id.as_deref() == Some(target);
        let by_reference = || {
            let id = SyncId::of(domain::SourceSystem::Upcoach, kind, reference?);
            self.syncs.get(id.as_uuid())
        };
        self.syncs.find(by_target).or_else(by_reference)
    }

    /// FlashERP's id of a user.
    pub(crate) fn customer_of(&self, user: Uuid) -> Option<&str> {
        self.customers.iter().find(|(_, known)| **known == user).map(|(target, _)| target.as_str())
    }
}
