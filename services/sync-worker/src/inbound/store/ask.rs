//! Stripe's events where UpCoach books them itself (`UPCOACH_MODE=views`): they write nothing, and ask for a sync of what they are about.
//!
//! A record that is not there yet is asked for by UpCoach's own transaction that makes it, so its event is done. Looked up is by the columns
//! that UpCoach's models have an index on.

use std::collections::{BTreeSet, HashMap};

use domain::{EntityType, stripe_uuid};
use sqlx::PgConnection;
use uuid::Uuid;
use webhooks::stripe::StripeEvent;

use super::Needs;
use crate::inbound::stripe::fold::{Outcome, Rules, is_of_test_mode};

/// Asks for what the events are about; says for each what that was.
pub(crate) async fn ask(
    connection: &mut PgConnection,
    events: &[&StripeEvent],
    rules: &Rules,
) -> Result<Vec<Outcome>, sqlx::Error> {
    let names: Vec<Option<BTreeSet<(EntityType, String)>>> = events
        .iter()
        .map(|event| {
            let is_done = is_of_test_mode(event, rules) || matches!(event, StripeEvent::Other { .. });
            (!is_done).then(|| names(&Needs::of(&[*event])))
        })
        .collect();
    let of = |kind: EntityType| -> Vec<&str> {
        let all: BTreeSet<&str> = names
            .iter()
            .flatten()
            .flatten()
            .filter(|(named, _)| *named == kind)
            .map(|(_, name)| name.as_str())
            .collect();
        all.into_iter().collect()
    };
    let users: Vec<Uuid> = of(EntityType::Customer).into_iter().filter_map(|id| id.parse().ok()).collect();
    let found: Vec<(String, String, Uuid)> = sqlx::query_as(
        "SELECT 'transaction', stripe_transaction_id, id FROM upcoach.transactions WHERE stripe_transaction_id = ANY ($1)
         UNION ALL SELECT 'subscription', stripe_subscription_id, id FROM upcoach.subscriptions WHERE stripe_subscription_id = ANY ($2)
         UNION ALL SELECT 'customer', id::text, id FROM upcoach.users WHERE id = ANY ($3)",
    )
    .bind(of(EntityType::Transaction))
    .bind(of(EntityType::Subscription))
    .bind(users)
    .fetch_all(&mut *connection)
    .await?;
    let (kinds, ids): (Vec<&str>, Vec<Uuid>) = found.iter().map(|(kind, _, id)| (kind.as_str(), *id)).unzip();
    if !ids.is_empty() {
        sqlx::query(
            "INSERT INTO sync.requests (entity_type, source_id, origin)
             SELECT kind::sync.entity_type, id, 'change' FROM unnest($1::text[], $2::uuid[]) AS wish (kind, id)",
        )
        .bind(kinds)
        .bind(ids)
        .execute(connection)
        .await?;
    }
    let known: HashMap<(&str, &str), Uuid> =
        found.iter().map(|(kind, name, id)| ((kind.as_str(), name.as_str()), *id)).collect();
    let record = |(kind, name): &(EntityType, String)| Some((*kind, *known.get(&(kind.as_str(), name.as_str()))?));
    Ok(names
        .iter()
        .map(|names| match names {
            Some(names) => Outcome::applied(names.iter().filter_map(record)),
            None => Outcome::Ignored,
        })
        .collect())
}

/// What an event is about. A refund's or dispute's own row has no indexed name in UpCoach; its payment has.
fn names(needs: &Needs) -> BTreeSet<(EntityType, String)> {
    let payments = needs.payments.iter().map(|id| (EntityType::Transaction, id.clone()));
    let subscriptions = needs.subscriptions.iter().map(|id| (EntityType::Subscription, id.clone()));
    // those that UpCoach's metadata names, rather than ids that our tables would have
    let ours: BTreeSet<Uuid> = needs.written_customers.iter().map(|id| stripe_uuid(id)).collect();
    let users = needs.written_users.difference(&ours).map(|id| (EntityType::Customer, id.to_string()));
    payments.chain(subscriptions).chain(users).collect()
}
