//! Money not yet in FlashERP, per currency and age ([`syncs::exposure`]), as the API shows it.

use serde::Serialize;
use sqlx::PgPool;
use syncs::exposure;
use utoipa::ToSchema;

use crate::amounts::{AtStake, decimal};

/// A sum and of how many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Aged {
    #[schema(required, example = "1234.50")]
    pub amount: Option<String>,
    pub count: i64,
}

/// One currency's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exposed {
    #[serde(flatten)]
    pub all: AtStake,
    pub under5_minutes: Aged,
    pub under1_hour: Aged,
    pub under24_hours: Aged,
    pub older: Aged,
}

/// Of all currencies, in order of their names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Exposure {
    pub currencies: Vec<Exposed>,
}

/// Reads it.
///
/// # Errors
/// The database.
pub async fn read(pool: &PgPool) -> Result<Exposure, sqlx::Error> {
    Ok(Exposure { currencies: exposure::read(pool).await?.iter().map(Exposed::of).collect() })
}

impl Exposed {
    fn of(waiting: &exposure::Exposed) -> Self {
        let aged =
            |age: usize| Aged { amount: decimal(waiting.units[age], &waiting.currency), count: waiting.counts[age] };
        let [all, count] = [waiting.units, waiting.counts].map(|by_age| by_age.iter().sum());
        Self {
            all: AtStake::of(all, &waiting.currency, count),
            under5_minutes: aged(0),
            under1_hour: aged(1),
            under24_hours: aged(2),
            older: aged(3),
        }
    }
}
