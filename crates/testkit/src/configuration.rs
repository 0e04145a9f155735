//! A configuration row that names a sandbox, as config-api would have made it, for tests of what reads it.

use secrecy::SecretString;
use secrets::{Keyring, Place};
use sqlx::PgPool;
use uuid::Uuid;

/// `ERP_ENCRYPTION_KEYS` of whoever reads a row of [`configure`].
pub const ENCRYPTION_KEYS: &str = "test:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// Makes an enabled configuration of the sandbox at `base_url`, adopted long ago. `pool` is the superuser's.
///
/// # Panics
/// When there is one already.
pub async fn configure(pool: &PgPool, base_url: &str) {
    let keyring = Keyring::parse(ENCRYPTION_KEYS).expect("our own keys");
    let row = Uuid::new_v4();
    let sealed = |column, secret: &str| {
        let place = Place { table: "config.erp_configurations", row, column };
        keyring.encrypt(&place, &SecretString::from(secret))
    };
    sqlx::query(
        "INSERT INTO config.erp_configurations (id, base_url, api_key_enc, api_secret_enc, is_enabled, adopted_at)
         VALUES ($1, $2, $3, $4, true, '2020-01-01')",
    )
    .bind(row)
    .bind(base_url)
    .bind(sealed("api_key_enc", "sandbox-key"))
    .bind(sealed("api_secret_enc", "sandbox-secret"))
    .execute(pool)
    .await
    .expect("the configuration row");
}
