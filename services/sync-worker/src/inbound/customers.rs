//! Stripe's customers become UpCoach's users (tables mode): found by `metadata.upcoachUserId`, then Stripe id, then e-mail,
//! else made.
//!
//! A batch is loaded (locked, in id order), folded in memory and written in two statements. A user that another worker made
//! meanwhile is [`ApplyError::Raced`]: the batch is rolled back and done again, now seeing it.

use std::collections::BTreeSet;

use domain::stripe_uuid;
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;
use webhooks::stripe::{Customer, Event};

use super::apply::ApplyError;
use super::versions::{Version, Versions};

/// Key in a Stripe object's metadata that names UpCoach's user.
pub(super) const USER_ID_KEY: &str = "upcoachUserId";

/// What a payment of an unknown Stripe customer waits for.
pub(super) fn customer_key(stripe_customer_id: &str) -> String {
    format!("stripe_customer:{stripe_customer_id}")
}

/// What a payment that names an unknown UpCoach user waits for.
pub(super) fn user_key(id: Uuid) -> String {
    format!("user:{id}")
}

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
struct UserRow {
    id: Uuid,
    email: Option<String>,
    name: Option<String>,
    stripe_customer_id: Option<String>,
    #[sqlx(json)]
    stripe_versions: Versions,
    created_at: OffsetDateTime,
}

/// A user as it is to be, and what of it has to be written.
#[derive(Debug)]
struct User {
    row: UserRow,
    known: bool,
    changed: bool,
    /// Further Stripe customers, known and new.
    linked: BTreeSet<String>,
    new_links: Vec<String>,
}

/// The users that a batch of customer events is about.
#[derive(Debug, Default)]
pub(super) struct Users {
    users: Vec<User>,
    appeared: Vec<String>,
}

impl Users {
    /// Loads and locks what the events may match.
    pub(super) async fn load(connection: &mut PgConnection, events: &[&Event<Customer>]) -> Result<Self, sqlx::Error> {
        if events.is_empty() {
            return Ok(Self::default());
        }
        let named: Vec<Uuid> = events
            .iter()
            .filter_map(|event| named_user(&event.object))
            .chain(events.iter().map(|event| stripe_uuid(event.object.id.as_str())))
            .collect();
        let customers: Vec<&str> = events.iter().map(|event| event.object.id.as_str()).collect();
        let emails: Vec<String> =
            events.iter().filter_map(|event| event.object.email.as_deref()).map(str::to_lowercase).collect();
        let rows: Vec<UserRow> = sqlx::query_as(
            "SELECT id, email, name, stripe_customer_id, stripe_versions, created_at FROM upcoach.users
             WHERE id IN (
                SELECT id FROM upcoach.users WHERE id = ANY ($1)
                UNION SELECT id FROM upcoach.users WHERE stripe_customer_id = ANY ($2)
                UNION SELECT user_id FROM upcoach.user_stripe_customers WHERE stripe_customer_id = ANY ($2)
                UNION SELECT id FROM upcoach.users WHERE lower(email) = ANY ($3))
             ORDER BY id FOR UPDATE",
        )
        .bind(&named)
        .bind(&customers)
        .bind(&emails)
        .fetch_all(&mut *connection)
        .await?;
        let links: Vec<(Uuid, String)> = sqlx::query_as(
            "SELECT user_id, stripe_customer_id FROM upcoach.user_stripe_customers WHERE stripe_customer_id = ANY ($1)",
        )
        .bind(&customers)
        .fetch_all(connection)
        .await?;
        let users = rows
            .into_iter()
            .map(|row| User {
                linked: links
                    .iter()
                    .filter(|(user, _)| *user == row.id)
                    .map(|(_, customer)| customer.clone())
                    .collect(),
                row,
                known: true,
                changed: false,
                new_links: Vec::new(),
            })
            .collect();
        Ok(Self { users, appeared: Vec::new() })
    }

    /// Takes an event in; returns the user's id.
    pub(super) fn take(&mut self, event: &Event<Customer>) -> Uuid {
        let customer = &event.object;
        let position = self.position_of(customer).unwrap_or_else(|| {
            self.users.push(User {
                row: UserRow {
                    id: named_user(customer).unwrap_or_else(|| stripe_uuid(customer.id.as_str())),
                    email: None,
                    name: None,
                    stripe_customer_id: None,
                    stripe_versions: Versions::default(),
                    created_at: customer.created.unwrap_or(event.created),
                },
                known: false,
                changed: true,
                linked: BTreeSet::new(),
                new_links: Vec::new(),
            });
            self.users.len() - 1
        });
        let user = &mut self.users[position];
        if !user.known {
            self.appeared.push(user_key(user.row.id));
        }
        if user.link(customer.id.as_str()) {
            self.appeared.push(customer_key(customer.id.as_str()));
        }
        user.merge(event);
        user.row.id
    }

    /// The keys of users and Stripe customers that were unknown before this batch.
    pub(super) fn appeared(&self) -> &[String] {
        &self.appeared
    }

    // A Stripe customer that has its user stays with it, whatever its metadata says later: payments are booked there.
    fn position_of(&self, customer: &Customer) -> Option<usize> {
        let stripe_id = customer.id.as_str();
        let by_stripe_id = || self.users.iter().position(|user| user.owns(stripe_id));
        let by_name = || named_user(customer).and_then(|id| self.users.iter().position(|user| user.row.id == id));
        let by_email = || {
            let email = customer.email.as_deref()?.to_lowercase();
            self.users.iter().position(|user| {
                user.row.stripe_customer_id.is_none()
                    && user.row.email.as_deref().is_some_and(|known| known.to_lowercase() == email)
            })
        };
        // A row that was born of this very Stripe customer, whatever has been done to it since.
        let by_birth = || self.users.iter().position(|user| user.row.id == stripe_uuid(stripe_id));
        by_stripe_id()
            .or_else(by_birth)
            .or_else(by_name)
            .or_else(|| if named_user(customer).is_some() { None } else { by_email() })
    }

    /// Writes what is new and what changed.
    pub(super) async fn save(&self, connection: &mut PgConnection) -> Result<(), ApplyError> {
        let mut made: Vec<&UserRow> = self.users.iter().filter(|user| !user.known).map(|user| &user.row).collect();
        made.sort_by_key(|row| row.id);
        if !made.is_empty() {
            let inserted = sqlx::query(
                "INSERT INTO upcoach.users (id, email, name, stripe_customer_id, stripe_versions, created_at)
                 SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::timestamptz[])
                 ON CONFLICT DO NOTHING",
            )
            .bind(made.iter().map(|row| row.id).collect::<Vec<_>>())
            .bind(made.iter().map(|row| row.email.as_deref()).collect::<Vec<_>>())
            .bind(made.iter().map(|row| row.name.as_deref()).collect::<Vec<_>>())
            .bind(made.iter().map(|row| row.stripe_customer_id.as_deref()).collect::<Vec<_>>())
            .bind(made.iter().map(|row| Json(&row.stripe_versions)).collect::<Vec<_>>())
            .bind(made.iter().map(|row| row.created_at).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?
            .rows_affected();
            if inserted != made.len() as u64 {
                return Err(ApplyError::Raced);
            }
        }
        let changed: Vec<&UserRow> =
            self.users.iter().filter(|user| user.known && user.changed).map(|user| &user.row).collect();
        if !changed.is_empty() {
            sqlx::query(
                "UPDATE upcoach.users u
                 SET email = n.email, name = n.name, stripe_customer_id = n.stripe_customer_id,
                    stripe_versions = n.stripe_versions, updated_at = clock_timestamp()
                 FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::jsonb[])
                    AS n (id, email, name, stripe_customer_id, stripe_versions)
                 WHERE u.id = n.id",
            )
            .bind(changed.iter().map(|row| row.id).collect::<Vec<_>>())
            .bind(changed.iter().map(|row| row.email.as_deref()).collect::<Vec<_>>())
            .bind(changed.iter().map(|row| row.name.as_deref()).collect::<Vec<_>>())
            .bind(changed.iter().map(|row| row.stripe_customer_id.as_deref()).collect::<Vec<_>>())
            .bind(changed.iter().map(|row| Json(&row.stripe_versions)).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
        }
        let mut links: Vec<(&str, Uuid)> = self
            .users
            .iter()
            .flat_map(|user| user.new_links.iter().map(|customer| (customer.as_str(), user.row.id)))
            .collect();
        links.sort_unstable();
        if !links.is_empty() {
            let linked = sqlx::query(
                "INSERT INTO upcoach.user_stripe_customers (stripe_customer_id, user_id)
                 SELECT * FROM unnest($1::text[], $2::uuid[]) ON CONFLICT DO NOTHING",
            )
            .bind(links.iter().map(|(customer, _)| *customer).collect::<Vec<_>>())
            .bind(links.iter().map(|(_, user)| *user).collect::<Vec<_>>())
            .execute(connection)
            .await?
            .rows_affected();
            if linked != links.len() as u64 {
                return Err(ApplyError::Raced);
            }
        }
        Ok(())
    }
}

impl User {
    fn owns(&self, stripe_id: &str) -> bool {
        self.row.stripe_customer_id.as_deref() == Some(stripe_id) || self.linked.contains(stripe_id)
    }

    /// Makes the Stripe customer this user's; says whether it was not before.
    fn link(&mut self, stripe_id: &str) -> bool {
        if self.owns(stripe_id) {
            return false;
        }
        if self.row.stripe_customer_id.is_none() {
            self.row.stripe_customer_id = Some(stripe_id.to_owned());
            self.changed = true;
        } else {
            self.linked.insert(stripe_id.to_owned());
            self.new_links.push(stripe_id.to_owned());
        }
        true
    }

    /// Takes name and e-mail over, if they are newer and come from the user's main Stripe customer. What Stripe does not
    /// know is no reason to forget it.
    fn merge(&mut self, event: &Event<Customer>) {
        let customer = &event.object;
        if self.row.stripe_customer_id.as_deref() != Some(customer.id.as_str()) {
            return;
        }
        let rank = u8::from(event.event_type != "customer.created");
        if self.row.stripe_versions.advance("customer", Version::new(event.created, rank)) {
            self.changed = true;
            if customer.email.is_some() {
                self.row.email.clone_from(&customer.email);
            }
            if customer.name.is_some() {
                self.row.name.clone_from(&customer.name);
            }
        }
    }
}

/// The UpCoach user that a customer names, if it names one.
fn named_user(customer: &Customer) -> Option<Uuid> {
    customer.metadata.get(USER_ID_KEY)?.parse().ok()
}
