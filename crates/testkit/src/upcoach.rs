//! UpCoach's platform, as it writes its own records: into our tables (`UPCOACH_MODE=tables`), or into tables of its own that `upcoach` only views
//! (`views`). So one test can hold both modes to the same words.

use domain::upcoach::UpcoachMode;
use migrations::UPCOACH_VIEWS_SQL;
use sqlx::{AssertSqlSafe, Executor as _, PgExecutor, PgPool};
use uuid::Uuid;

use crate::TestDatabase;

/// UpCoach's tables as its models define them.
const TABLES_SQL: &str = include_str!("upcoach.sql");

/// The platform beside a database of ours.
#[derive(Debug, Clone)]
pub struct Platform {
    /// Where its records are.
    pub mode: UpcoachMode,
    pool: PgPool,
}

impl Platform {
    /// Makes the database one of this mode.
    ///
    /// # Panics
    /// When PostgreSQL refuses.
    pub async fn new(database: &TestDatabase, mode: UpcoachMode) -> Self {
        let pool = PgPool::connect(&database.admin_url()).await.expect("the superuser gets in");
        let platform = Self { mode, pool };
        if mode == UpcoachMode::Views {
            platform.make_tables().await;
            platform.make_views().await;
        }
        platform
    }

    /// Makes UpCoach's own tables.
    ///
    /// # Panics
    /// When PostgreSQL refuses.
    pub async fn make_tables(&self) {
        self.pool.execute(AssertSqlSafe(TABLES_SQL)).await.expect("UpCoach's tables are made");
    }

    /// Runs `deploy/upcoach-views.sql`.
    ///
    /// # Panics
    /// When it fails.
    pub async fn make_views(&self) {
        self.pool.execute(AssertSqlSafe(UPCOACH_VIEWS_SQL)).await.expect("deploy/upcoach-views.sql runs");
    }

    /// A user. UpCoach's own table knows none without an address: theirs is empty there.
    ///
    /// # Panics
    /// When PostgreSQL refuses.
    pub async fn insert_user(&self, email: Option<&str>, name: &str) -> Uuid {
        let id = Uuid::new_v4();
        let statement = match self.mode {
            UpcoachMode::Tables => "INSERT INTO upcoach.users (id, email, name) VALUES ($1, $2, $3)",
            UpcoachMode::Views => {
                r#"INSERT INTO public.users (id, email, name, password, "createdAt", "updatedAt") VALUES ($1, coalesce($2, ''), $3, 'x', now(), now())"#
            }
        };
        sqlx::query(statement).bind(id).bind(email).bind(name).execute(&self.pool).await.expect("a user");
        id
    }

    /// A payment in Stripe's units. UpCoach's own table wants a Stripe id for each: without one it is one of UpCoach's making.
    ///
    /// # Panics
    /// When PostgreSQL refuses.
    pub async fn insert_payment(
        &self,
        user: Uuid,
        status: &str,
        units: i64,
        currency: &str,
        stripe: Option<&str>,
    ) -> Uuid {
        let id = Uuid::new_v4();
        let statement = match self.mode {
            UpcoachMode::Tables => {
                "INSERT INTO upcoach.transactions (id, user_id, type, status, amount, currency, stripe_transaction_id)
                 VALUES ($1, $2, 'payment', $3, $4, $5, $6)"
            }
            UpcoachMode::Views => {
                r#"INSERT INTO public.transactions (id, "userId", type, status, amount, currency, "stripeTransactionId", "paymentMethod",
                    "createdAt", "updatedAt")
                 VALUES ($1, $2, 'payment', $3::public.enum_transactions_status, $4 / 100.0, $5, coalesce($6, 'manual_' || $1), 'card', now(),
                    now())"#
            }
        };
        sqlx::query(statement)
            .bind(id)
            .bind(user)
            .bind(status)
            .bind(units)
            .bind(currency)
            .bind(stripe)
            .execute(&self.pool)
            .await
            .expect("a transaction");
        id
    }

    /// Sets a transaction's amount, in Stripe's units.
    ///
    /// # Panics
    /// When PostgreSQL refuses.
    pub async fn set_amount(&self, database: impl PgExecutor<'_>, transaction: Uuid, units: i64) {
        let statement = match self.mode {
            UpcoachMode::Tables => "UPDATE upcoach.transactions SET amount = $2 WHERE id = $1",
            UpcoachMode::Views => "UPDATE public.transactions SET amount = $2 / 100.0 WHERE id = $1",
        };
        sqlx::query(statement).bind(transaction).bind(units).execute(database).await.expect("another amount");
    }

    /// Sets a user's address.
    ///
    /// # Panics
    /// When PostgreSQL refuses.
    pub async fn set_email(&self, user: Uuid, email: &str) {
        let statement = match self.mode {
            UpcoachMode::Tables => "UPDATE upcoach.users SET email = $2 WHERE id = $1",
            UpcoachMode::Views => "UPDATE public.users SET email = $2 WHERE id = $1",
        };
        sqlx::query(statement).bind(user).bind(email).execute(&self.pool).await.expect("another address");
    }

    /// Renames a user at a time in RFC 3339.
    ///
    /// # Panics
    /// When PostgreSQL refuses.
    pub async fn rename(&self, user: Uuid, name: &str, at: &str) {
        let statement = match self.mode {
            UpcoachMode::Tables => "UPDATE upcoach.users SET name = $2, updated_at = $3::timestamptz WHERE id = $1",
            UpcoachMode::Views => r#"UPDATE public.users SET name = $2, "updatedAt" = $3::timestamptz WHERE id = $1"#,
        };
        sqlx::query(statement).bind(user).bind(name).bind(at).execute(&self.pool).await.expect("another name");
    }
}
