//! An environment for config-api, and what the database holds after.

use config_api::Config;
use secrecy::ExposeSecret as _;
use secrets::{Keyring, Place};
use serde_json::{Value, json};
use service::Binary;
use service::settings::{self, Env};
use sqlx::{PgPool, Row as _};
use testkit::sandbox::Sandbox;
use testkit::{Scratch, Service};
use uuid::Uuid;

pub(crate) const KEYS: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A whole environment; `changed` replaces or, by an empty value, unsets.
pub(crate) fn config(changed: &[(&str, &str)]) -> Config {
    let whole = [
        ("ERP_ENCRYPTION_KEYS", KEYS),
        ("ERP_ALLOW_PRIVATE_BASE_URL", "true"),
        ("FLASHERP_ENABLED", "true"),
        ("FLASHERP_API_KEY", "fk_test_1234567890"),
        ("FLASHERP_API_SECRET", "fs_test_1234567890"),
        ("FLASHERP_BASE_URL", "http://127.0.0.1:8084/v1/"),
        ("FLASHERP_WEBHOOK_SECRET", "whsec_new,whsec_old"),
    ];
    let pairs = whole.into_iter().chain(testkit::tokens::environment()).chain(changed.iter().copied());
    settings::read(Env::from_pairs(Binary::ConfigApi, pairs), Config::read).expect("a good environment")
}

/// What of the row matters here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) id: Uuid,
    pub(crate) base_url: String,
    pub(crate) api_key: String,
    pub(crate) api_secret: String,
    pub(crate) webhook_secret: Option<String>,
    pub(crate) is_enabled: bool,
    pub(crate) is_adopted: bool,
    pub(crate) version: i64,
}

/// The configuration row with its secrets in clear, read as the keyring's owner.
pub(crate) async fn rows(pool: &PgPool) -> Vec<Row> {
    let keyring = Keyring::parse(KEYS).expect("good keys");
    let rows = sqlx::query("SELECT * FROM config.erp_configurations").fetch_all(pool).await.expect("readable");
    let decrypted = |row: &sqlx::postgres::PgRow, column: &'static str| {
        let place = Place { table: "config.erp_configurations", row: row.get("id"), column };
        let sealed: Option<Vec<u8>> = row.get(column);
        sealed.map(|sealed| keyring.decrypt(&place, &sealed).expect("decrypts in its place").expose_secret().to_owned())
    };
    rows.iter()
        .map(|row| Row {
            id: row.get("id"),
            base_url: row.get("base_url"),
            api_key: decrypted(row, "api_key_enc").expect("never null"),
            api_secret: decrypted(row, "api_secret_enc").expect("never null"),
            webhook_secret: decrypted(row, "webhook_secret_enc"),
            is_enabled: row.get("is_enabled"),
            is_adopted: row.get::<Option<time::OffsetDateTime>, _>("adopted_at").is_some(),
            version: row.get("version"),
        })
        .collect()
}

/// A secret of the row in clear.
pub(crate) async fn decrypted(pool: &PgPool, column: &'static str) -> Option<String> {
    let keyring = Keyring::parse(KEYS).expect("good keys");
    let row = sqlx::query("SELECT * FROM config.erp_configurations").fetch_one(pool).await.expect("a row");
    let sealed: Option<Vec<u8>> = row.get(column);
    let place = Place { table: "config.erp_configurations", row: row.get("id"), column };
    sealed.map(|sealed| keyring.decrypt(&place, &sealed).expect("decrypts in its place").expose_secret().to_owned())
}

/// How many rows a table has.
pub(crate) async fn count(pool: &PgPool, table: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
        .fetch_one(pool)
        .await
        .expect("countable")
}

/// A FlashERP of a test's own.
pub(crate) struct SandboxProcess {
    pub(crate) sandbox: Sandbox,
    _process: Service,
    _scratch: Scratch,
}

impl SandboxProcess {
    pub(crate) async fn start() -> Self {
        service::bootstrap::install_tls_provider();
        let scratch = Scratch::new().expect("a folder");
        let options = testkit::service("flasherp-sandbox", scratch.path())
            .env("SANDBOX_API_KEY", "sandbox_key_of_the_test")
            .env("SANDBOX_API_SECRET", "sandbox_secret_of_the_test");
        let process = Service::start(options).await.expect("the sandbox starts");
        let http = process.addresses().http.expect("it serves HTTP");
        Self { sandbox: Sandbox::at(format!("http://{http}")), _process: process, _scratch: scratch }
    }

    /// What lets in.
    pub(crate) fn candidate(&self) -> Value {
        json!({
            "baseURL": self.sandbox.api_url(),
            "apiKey": "sandbox_key_of_the_test",
            "apiSecret": "sandbox_secret_of_the_test",
        })
    }
}
