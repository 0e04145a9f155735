//! Adoption: FlashERP is paged through, and what it holds under our references becomes the target of our syncs, so that a FlashERP that is not
//! empty on day one, or knows more than our backup, gets no doubles and needs no look-up per record.
//!
//! A page is one transaction. Killed half-way it is run again from the start: what is adopted already is passed over. A sync that a worker has in
//! hand, or whose last write is unknown, is left alone: the worker itself looks before it makes what may be there.

mod page;

use domain::{EntityType, RequestId};
use flasherp::{Call, CallError, Client, ListQuery};
use sqlx::PgPool;
use uuid::Uuid;

pub use page::Tally;

/// The types that FlashERP shows, customers first: others refer to them.
pub const TYPES: [EntityType; 4] =
    [EntityType::Customer, EntityType::Subscription, EntityType::Transaction, EntityType::Invoice];
/// Records a page: the most that FlashERP gives.
const PAGE: u16 = 500;

/// Why adoption broke off. What was adopted before stays.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// FlashERP can't be read.
    #[error("FlashERP's records can't be read")]
    FlashErp(#[from] CallError),
    /// FlashERP's pages go round in a ring.
    #[error("FlashERP's pages have no end")]
    EndlessPages,
    /// The database.
    #[error("the database")]
    Database(#[from] sqlx::Error),
}

/// Takes over FlashERP's records of one type. `told` hears after each page.
///
/// # Errors
/// [`AdoptError`].
pub async fn adopt(
    pool: &PgPool,
    client: &Client,
    kind: EntityType,
    mut told: impl FnMut(&Tally),
) -> Result<Tally, AdoptError> {
    let call = Call::new(RequestId(Uuid::new_v4()));
    let query = ListQuery { limit: Some(PAGE), ..ListQuery::default() };
    let (mut tally, mut cursor) = (Tally::default(), None);
    loop {
        let fetched = client.list(&call, kind, &query, cursor.as_deref()).await?;
        let mut transaction = pool.begin().await?;
        tally += page::take_over(&mut transaction, pool, kind, &fetched.records).await?;
        transaction.commit().await?;
        told(&tally);
        match fetched.next_cursor {
            None => return Ok(tally),
            next if next == cursor => return Err(AdoptError::EndlessPages),
            next => cursor = next,
        }
    }
}
