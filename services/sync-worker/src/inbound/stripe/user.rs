//! Stripe's customers as UpCoach's users: found by Stripe id, `metadata.upcoachUserId` or e-mail, else made.
//!
//! A Stripe customer that has its user stays with it, whatever its metadata says later: payments are booked there. Name and e-mail come from
//! the user's first Stripe customer, and are written only when it tells something new, so that what UpCoach or FlashERP changed since stays.

use std::collections::{BTreeMap, HashMap, HashSet};

use domain::stripe_uuid;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;
use webhooks::stripe::{Customer, Event};

use super::keys;
use super::newest::{Newest, Told, Version};

/// Key in a Stripe object's metadata that names UpCoach's user.
const USER_ID_KEY: &str = "upcoachUserId";

/// The UpCoach user that a Stripe object names, if it names one.
pub(crate) fn named_user(metadata: &BTreeMap<String, String>) -> Option<Uuid> {
    metadata.get(USER_ID_KEY)?.parse().ok()
}

/// A row of `upcoach.users`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub(crate) struct User {
    pub(crate) id: Uuid,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) stripe_customer_id: Option<String>,
    #[sqlx(json)]
    pub(crate) stripe_facts: UserFacts,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) created_at: OffsetDateTime,
}

/// What Stripe told of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct UserFacts {
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<Newest<CustomerTold>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct CustomerTold {
    email: Option<String>,
    name: Option<String>,
    /// E-mail and name that it replaced, where it did.
    replaced: Option<(Option<String>, Option<String>)>,
}

impl Told for CustomerTold {
    fn replaced(&self, other: &Self) -> bool {
        self.replaced.as_ref().is_some_and(|(email, name)| (email, name) == (&other.email, &other.name))
    }
}

/// The users that a batch may touch, with their further Stripe customers.
#[derive(Debug, Default)]
pub(crate) struct Users {
    rows: BTreeMap<Uuid, Tracked>,
    by_customer: HashMap<String, Uuid>,
    new_links: BTreeMap<String, Uuid>,
}

#[derive(Debug)]
struct Tracked {
    row: User,
    was: Option<User>,
}

impl Users {
    /// Adds what the database holds: users, and further Stripe customers with their user.
    pub(crate) fn load(
        &mut self,
        users: impl IntoIterator<Item = User>,
        links: impl IntoIterator<Item = (String, Uuid)>,
    ) {
        for row in users {
            if let Some(customer) = &row.stripe_customer_id {
                self.by_customer.insert(customer.clone(), row.id);
            }
            self.rows.entry(row.id).or_insert_with(|| Tracked { was: Some(row.clone()), row });
        }
        self.by_customer.extend(links);
    }

    /// A user by id.
    pub(crate) fn get(&self, id: Uuid) -> Option<&User> {
        self.rows.get(&id).map(|tracked| &tracked.row)
    }

    /// The user of a Stripe customer.
    pub(crate) fn of_customer(&self, stripe_id: &str) -> Option<Uuid> {
        self.by_customer.get(stripe_id).copied()
    }

    /// Takes an event in; returns the user's id.
    pub(crate) fn take(&mut self, event: &Event<Customer>) -> Uuid {
        let customer = &event.object;
        let stripe_id = customer.id.as_str();
        let mut tracked = match self.id_of(customer).and_then(|id| self.rows.remove(&id)) {
            Some(tracked) => tracked,
            None => Tracked { row: new_user(event), was: None },
        };
        let user = &mut tracked.row;
        if self.of_customer(stripe_id).is_none() {
            if user.stripe_customer_id.is_none() {
                user.stripe_customer_id = Some(stripe_id.to_owned());
            } else {
                self.new_links.insert(stripe_id.to_owned(), user.id);
            }
            self.by_customer.insert(stripe_id.to_owned(), user.id);
        }
        user.merge(event);
        let id = user.id;
        self.rows.insert(id, tracked);
        id
    }

    fn id_of(&self, customer: &Customer) -> Option<Uuid> {
        let stripe_id = customer.id.as_str();
        let known = |id: Uuid| self.rows.contains_key(&id).then_some(id);
        let named = named_user(&customer.metadata);
        // A row that was born of this very Stripe customer, whatever has been done to it since.
        let by_birth = || known(stripe_uuid(stripe_id));
        let by_email = || {
            let email = customer.email.as_deref()?.to_lowercase();
            let is_it = |user: &User| {
                user.stripe_customer_id.is_none()
                    && user.email.as_deref().is_some_and(|known| known.to_lowercase() == email)
            };
            self.rows.values().map(|tracked| &tracked.row).find(|user| is_it(user)).map(|user| user.id)
        };
        self.of_customer(stripe_id).or_else(by_birth).or_else(|| match named {
            Some(id) => known(id),
            None => by_email(),
        })
    }

    /// The users to be inserted, in id order.
    pub(crate) fn made(&self) -> Vec<&User> {
        self.rows.values().filter(|tracked| tracked.was.is_none()).map(|tracked| &tracked.row).collect()
    }

    /// The users to be updated, in id order.
    pub(crate) fn changed(&self) -> Vec<&User> {
        let changed = |tracked: &&Tracked| tracked.was.as_ref().is_some_and(|was| *was != tracked.row);
        self.rows.values().filter(changed).map(|tracked| &tracked.row).collect()
    }

    /// Further Stripe customers to be written, with their user, in order.
    pub(crate) fn new_links(&self) -> impl Iterator<Item = (&str, Uuid)> {
        self.new_links.iter().map(|(customer, user)| (customer.as_str(), *user))
    }

    /// The wait keys of what is known now and was not.
    pub(crate) fn appeared(&self, into: &mut HashSet<String>) {
        into.extend(self.new_links.keys().map(|customer| keys::customer(customer)));
        for Tracked { row, was } in self.rows.values() {
            if was.is_none() {
                into.insert(keys::user(row.id));
            }
            let before = was.as_ref().and_then(|was| was.stripe_customer_id.as_deref());
            into.extend(row.stripe_customer_id.as_deref().filter(|now| before != Some(*now)).map(keys::customer));
        }
    }
}

fn new_user(event: &Event<Customer>) -> User {
    let customer = &event.object;
    User {
        id: named_user(&customer.metadata).unwrap_or_else(|| stripe_uuid(customer.id.as_str())),
        email: None,
        name: None,
        stripe_customer_id: None,
        stripe_facts: UserFacts::default(),
        created_at: customer.created.unwrap_or(event.created),
    }
}

impl User {
    /// Whether its Stripe customer told two things in one second.
    pub(crate) fn is_undecided(&self) -> bool {
        self.stripe_facts.customer.as_ref().is_some_and(Newest::is_undecided)
    }

    /// What Stripe does not know is no reason to forget it.
    fn merge(&mut self, event: &Event<Customer>) {
        let customer = &event.object;
        if self.stripe_customer_id.as_deref() != Some(customer.id.as_str()) {
            return;
        }
        let before = |name: &str, now: &Option<String>| {
            event.before.get(name).map_or_else(|| now.clone(), |text| text.clone().filter(|text| !text.is_empty()))
        };
        let replaced = (before("email", &customer.email), before("name", &customer.name));
        let told = CustomerTold {
            email: customer.email.clone(),
            name: customer.name.clone(),
            replaced: (replaced != (customer.email.clone(), customer.name.clone())).then_some(replaced),
        };
        let rank = u8::from(event.event_type != "customer.created");
        let known = self.stripe_facts.customer.as_ref().map(|newest| newest.get().clone());
        Newest::take(&mut self.stripe_facts.customer, Version::of(event.into(), rank), told);
        let Some(newest) = self.stripe_facts.customer.as_ref().map(Newest::get) else { return };
        let (known_email, known_name) = known.map_or((None, None), |known| (known.email, known.name));
        if newest.email.is_some() && newest.email != known_email {
            self.email.clone_from(&newest.email);
        }
        if newest.name.is_some() && newest.name != known_name {
            self.name.clone_from(&newest.name);
        }
    }
}
