//! Payments of UpCoach's own that nobody has a reason to touch. Somebody spoils them in FlashERP, of which no webhook tells: one is taken away, the
//! next gets another amount. Only a reconciliation finds out, and its healing must leave each of them there once, as it was.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::sandbox::Sandbox;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::finance::Finance;
use super::places::in_major_units;

/// By which they are known from finance's.
pub(super) const DESCRIPTION: &str = "on the shelf";

#[derive(Debug, Default)]
pub(crate) struct Shelf {
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    /// FlashERP's ids of those that were not spoilt yet.
    whole: VecDeque<String>,
    /// The amount of each in FlashERP's words, by our id.
    amounts: BTreeMap<String, String>,
    spoilt: usize,
    /// FlashERP's ids of those that were taken away.
    gone: BTreeSet<String>,
    /// All of them were made within, and nothing else.
    window: Option<(OffsetDateTime, OffsetDateTime)>,
}

impl Shelf {
    /// Puts so many there, for customers of Stripe's.
    pub(super) async fn stock(&self, pool: &PgPool, payments: usize) -> Result<(), sqlx::Error> {
        let from = now(pool).await?;
        sqlx::query(
            "INSERT INTO upcoach.transactions (id, user_id, type, status, amount, currency, description)
             SELECT gen_random_uuid(), (array_agg(u.id ORDER BY u.id))[1 + n % count(*)::integer], 'payment', 'pending', 900 + n, 'usd', $2
             FROM upcoach.users u, generate_series(1, $1) AS n GROUP BY n",
        )
        .bind(i32::try_from(payments).unwrap_or(i32::MAX))
        .bind(DESCRIPTION)
        .execute(pool)
        .await?;
        self.books().window = Some((from, from));
        Ok(())
    }

    /// They are all in step now.
    pub(super) async fn open(&self, pool: &PgPool, finance: &Finance) -> Result<(), sqlx::Error> {
        let payments: Vec<(String, String, String, String)> = sqlx::query_as(
            "SELECT t.id::text, s.target_id, concat_ws(' ', t.amount, t.currency), u.stripe_customer_id
             FROM upcoach.transactions t JOIN upcoach.users u ON u.id = t.user_id
             JOIN sync.erp_syncs s ON s.source_type = 'transaction' AND s.source_id = t.id
             WHERE t.description = $1 ORDER BY t.id",
        )
        .bind(DESCRIPTION)
        .fetch_all(pool)
        .await?;
        let until = now(pool).await?;
        let mut books = self.books();
        books.window = books.window.map(|(from, _)| (from, until));
        for (id, target, money, owner) in payments {
            finance.say_pending(&id, &format!("{money} {owner}"));
            books.amounts.insert(id, amount(&money));
            books.whole.push_back(target);
        }
        Ok(())
    }

    /// Spoils the next one, if one is left.
    pub(super) async fn spoil(&self, sandbox: &Sandbox) {
        let (target, number) = {
            let mut books = self.books();
            let Some(target) = books.whole.pop_front() else { return };
            books.spoilt += 1;
            if books.spoilt % 2 == 1 {
                books.gone.insert(target.clone());
            }
            (target, books.spoilt)
        };
        match number % 2 {
            1 => sandbox.remove_record("transactions", &target).await,
            _ => drop(sandbox.edit_record("transactions", &target, json!({ "amount": 1 })).await),
        }
    }

    /// A reconciliation of all of them, up to this moment, that has healed what it finds.
    pub(super) fn reconciliation(&self) -> Value {
        let (from, to) = self.books().window.expect("the shelf was stocked");
        let text = |at: OffsetDateTime| at.format(&Rfc3339).expect("a time");
        json!({
            "from": text(from), "to": text(to), "entityTypes": ["transaction"], "autoHeal": true, "cutoffSeconds": 0,
        })
    }

    /// How many are not in FlashERP as they were.
    pub(super) async fn spoilt(&self, sandbox: &Sandbox) -> usize {
        let records = sandbox.records("transactions").await;
        let there: BTreeSet<(String, String)> = records
            .iter()
            .map(|record| (record.reference(), record.json("amount").unwrap_or_default().to_owned()))
            .collect();
        let books = self.books();
        books.amounts.iter().filter(|(id, amount)| !there.contains(&((*id).clone(), (*amount).clone()))).count()
    }

    /// FlashERP's ids of what was there once and is there no more, because somebody took it away.
    pub(super) fn gone(&self) -> BTreeSet<String> {
        self.books().gone.clone()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of `900 usd`, `9.00`.
fn amount(money: &str) -> String {
    in_major_units(money).split(' ').next().unwrap_or_default().to_owned()
}

async fn now(pool: &PgPool) -> Result<OffsetDateTime, sqlx::Error> {
    sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(pool).await
}
