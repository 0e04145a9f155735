//! The rows that a batch of events may touch, in memory: loaded before the fold, written after it where they changed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use uuid::Uuid;

use super::invoice::Invoice;
use super::keys;
use super::subscription::Subscription;
use super::transaction::Transaction;
use super::user::{User, Users};
use super::wants::{Occasion, Want, What};

/// A row of one of the tables.
pub(crate) trait Row: Clone + PartialEq {
    /// Its primary key.
    fn id(&self) -> Uuid;

    /// The Stripe ids that it is found by, and the wait keys of what waits for them.
    fn names(&self) -> Vec<(String, String)>;
}

/// The rows of one table, found by id and by Stripe id.
#[derive(Debug)]
pub(crate) struct Table<R> {
    rows: BTreeMap<Uuid, Tracked<R>>,
    by_stripe_id: HashMap<String, Uuid>,
}

#[derive(Debug)]
struct Tracked<R> {
    row: R,
    /// As it was loaded; none for a new one.
    was: Option<R>,
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), by_stripe_id: HashMap::new() }
    }
}

impl<R: Row> Table<R> {
    /// Adds what the database holds.
    pub(crate) fn load(&mut self, rows: impl IntoIterator<Item = R>) {
        for row in rows {
            if !self.rows.contains_key(&row.id()) {
                self.put(Tracked { was: Some(row.clone()), row });
            }
        }
    }

    /// The row of a Stripe id.
    pub(crate) fn find(&self, stripe_id: &str) -> Option<&R> {
        self.get(*self.by_stripe_id.get(stripe_id)?)
    }

    /// A row by its id.
    pub(crate) fn get(&self, id: Uuid) -> Option<&R> {
        self.rows.get(&id).map(|tracked| &tracked.row)
    }

    /// Writes a row, new or known.
    pub(crate) fn set(&mut self, row: R) {
        let was = self.rows.remove(&row.id()).and_then(|tracked| tracked.was);
        self.put(Tracked { row, was });
    }

    fn put(&mut self, tracked: Tracked<R>) {
        let id = tracked.row.id();
        for (stripe_id, _) in tracked.row.names() {
            self.by_stripe_id.entry(stripe_id).or_insert(id);
        }
        self.rows.insert(id, tracked);
    }

    /// All rows.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &R> {
        self.rows.values().map(|tracked| &tracked.row)
    }

    /// The rows to be inserted, in id order.
    pub(crate) fn made(&self) -> Vec<&R> {
        self.rows.values().filter(|tracked| tracked.was.is_none()).map(|tracked| &tracked.row).collect()
    }

    /// The rows to be updated, in id order.
    pub(crate) fn changed(&self) -> Vec<&R> {
        let changed = |tracked: &&Tracked<R>| tracked.was.as_ref().is_some_and(|was| *was != tracked.row);
        self.rows.values().filter(changed).map(|tracked| &tracked.row).collect()
    }

    /// The wait keys of what is known now and was not.
    pub(crate) fn appeared(&self, keys: &mut HashSet<String>) {
        for tracked in self.rows.values() {
            let known: HashSet<String> = tracked.was.iter().flat_map(Row::names).map(|(_, key)| key).collect();
            keys.extend(tracked.row.names().into_iter().map(|(_, key)| key).filter(|key| !known.contains(key)));
        }
    }
}

/// Something that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alert {
    pub(crate) kind: events::AlertKind,
    /// Of what; one open alert for each.
    pub(crate) about: String,
    pub(crate) message: String,
    pub(crate) details: serde_json::Value,
}

/// What the fold reads and writes.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) users: Users,
    pub(crate) subscriptions: Table<Subscription>,
    pub(crate) invoices: Table<Invoice>,
    pub(crate) transactions: Table<Transaction>,
    pub(crate) alerts: Vec<Alert>,
    /// What only Stripe's API tells.
    pub(crate) wants: BTreeSet<Want>,
}

impl Books {
    /// The wait keys of what is known now and was not when the rows were loaded.
    pub(crate) fn appeared(&self) -> HashSet<String> {
        let mut found = HashSet::new();
        self.users.appeared(&mut found);
        self.subscriptions.appeared(&mut found);
        self.invoices.appeared(&mut found);
        self.transactions.appeared(&mut found);
        for refund in self.transactions.made() {
            let Some(charge) = refund.stripe_charge_id.as_deref().filter(|_| refund.is_refund()) else { continue };
            found.extend((0..self.refunds_of(charge)).map(|fewer| keys::more_refunds_than(charge, fewer)));
        }
        found
    }

    /// How many refunds of a charge are known.
    pub(crate) fn refunds_of(&self, charge: &str) -> usize {
        let of_it = |row: &&Transaction| row.is_refund() && row.stripe_charge_id.as_deref() == Some(charge);
        self.transactions.iter().filter(of_it).count()
    }

    /// Asks for an object as Stripe's API shows it once the second of what was told is over. What was read itself leaves nothing open.
    pub(crate) fn want(&mut self, what: What, id: &str, occasion: Occasion) {
        if !occasion.pulled {
            let Occasion { created: as_of, livemode, .. } = occasion;
            self.wants.insert(Want { what, id: id.to_owned(), as_of, livemode });
        }
    }

    /// The user whom an event is about: the one that its metadata names, else that of its Stripe customer.
    ///
    /// # Errors
    /// What has to appear first: either of the two that it names; `nobody` if it names none.
    pub(crate) fn user_of(
        &self,
        named: Option<Uuid>,
        customer: Option<&str>,
        nobody: impl FnOnce() -> String,
    ) -> Result<Uuid, keys::WaitKeys> {
        let by_name = named.and_then(|id| self.users.get(id)).map(|user: &User| user.id);
        let by_customer = || customer.and_then(|id| self.users.of_customer(id));
        if let Some(user) = by_name.or_else(by_customer) {
            return Ok(user);
        }
        Err(match (customer, named) {
            (Some(customer), named) => keys::WaitKeys { first: keys::customer(customer), other: named.map(keys::user) },
            (None, Some(named)) => keys::user(named).into(),
            (None, None) => nobody().into(),
        })
    }
}
