//! `erpctl keys`.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use entities::config::SECRET_COLUMNS;
use rstest::rstest;
use secrecy::{ExposeSecret as _, SecretString};
use secrets::{Keyring, Place, sealed_with};
use sqlx::{AssertSqlSafe, PgPool, Row as _};
use testkit::TestDatabase;
use uuid::Uuid;

use crate::erpctl::{Run, erpctl};

const OLD: &str = "old:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NEW: &str = "new:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const ROW: Uuid = Uuid::from_u128(7);

#[test]
fn a_generated_key_is_an_entry_that_encrypts_and_is_never_the_same() {
    let first = erpctl(&["keys", "generate"], &[]);
    let second = erpctl(&["keys", "generate"], &[]);
    assert_eq!((first.code, second.code), (0, 0));
    assert_ne!(first.out, second.out);
    let keyring = Keyring::parse(&first.out).expect("an entry of ERP_ENCRYPTION_KEYS");
    let place = Place { table: "config.erp_configurations", row: Default::default(), column: "api_key_enc" };
    assert!(keyring.decrypt(&place, &keyring.encrypt(&place, &SecretString::from("s"))).is_ok());
}

#[test]
fn an_id_can_be_given_and_a_wrong_one_is_refused() {
    assert!(erpctl(&["keys", "generate", "--id", "k2"], &[]).out.starts_with("k2:"));
    let refused = erpctl(&["keys", "generate", "--id", "k:2"], &[]);
    assert_eq!((refused.code, refused.out.as_str()), (2, ""));
    assert_eq!(refused.err, "erpctl: an id is 1 to 64 letters, digits, `-`, `_` and `.`\n");
}

/// A configuration whose first three secrets are the old key's and whose last is `last`'s.
async fn configured(last: &str) -> (TestDatabase, PgPool) {
    let database = TestDatabase::new().await;
    let pool = database.pool("erp_owner").await;
    let [key, secret, webhook, previous] = [OLD, OLD, OLD, last].map(|keys| Keyring::parse(keys).expect("good keys"));
    let sealed =
        |keyring: &Keyring, column| keyring.encrypt(&place(column), &SecretString::from(format!("the {column}")));
    let columns = SECRET_COLUMNS.join(", ");
    sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO config.erp_configurations (id, base_url, {columns}, previous_webhook_secret_until)
         VALUES ($1, 'https://erp.example.com', $2, $3, $4, $5, now() + interval '1 day')"
    )))
    .bind(ROW)
    .bind(sealed(&key, SECRET_COLUMNS[0]))
    .bind(sealed(&secret, SECRET_COLUMNS[1]))
    .bind(sealed(&webhook, SECRET_COLUMNS[2]))
    .bind(sealed(&previous, SECRET_COLUMNS[3]))
    .execute(&pool)
    .await
    .expect("a configuration");
    (database, pool)
}

fn place(column: &'static str) -> Place<'static> {
    Place { table: "config.erp_configurations", row: ROW, column }
}

/// Each secret's key, if it opens with `keys`; and the row's version.
async fn held(pool: &PgPool, keys: &str) -> (Vec<Option<String>>, i64) {
    let keyring = Keyring::parse(keys).expect("good keys");
    let row = sqlx::query("SELECT * FROM config.erp_configurations").fetch_one(pool).await.expect("the row");
    let key = |column| {
        let sealed: Vec<u8> = row.get(column);
        let secret = keyring.decrypt(&place(column), &sealed).ok()?;
        assert_eq!(secret.expose_secret(), format!("the {column}"));
        sealed_with(&sealed)
    };
    (SECRET_COLUMNS.map(key).to_vec(), row.get("version"))
}

fn rotate(database: &TestDatabase, keys: &str) -> Run {
    let url = database.url_for("erp_owner");
    erpctl(&["keys", "rotate", "--by", "grace"], &[("DATABASE_URL", &url), ("ERP_ENCRYPTION_KEYS", keys)])
}

async fn audited(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar("SELECT concat_ws(' ', action, performed_by, metadata - 'operation') FROM audit.erp_audit_logs")
        .fetch_all(pool)
        .await
        .expect("audit rows")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_rotation_the_old_key_can_be_dropped_and_a_second_one_changes_nothing() {
    let both = format!("{NEW},{OLD}");
    let (database, pool) = configured(NEW).await;
    let (_, version) = held(&pool, &both).await;
    let run = rotate(&database, &both);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert_eq!(
        run.out,
        "re-encrypted 3 secrets with the key `new`; 1 secret had it already\nno secret needs `old` any more, once every service runs with `new` first\n"
    );
    let new = Some("new".to_owned());
    assert_eq!(held(&pool, NEW).await, (vec![new; 4], version + 1), "and every service reads it again");
    let row = r#"config_updated grace {"to": "new", "from": ["old"], "secrets": 3}"#;
    assert_eq!(audited(&pool).await, [row]);

    for keys in [both.as_str(), NEW] {
        let again = rotate(&database, keys);
        assert_eq!(again.out, "re-encrypted 0 secrets with the key `new`; 4 secrets had it already\n", "{}", again.err);
    }
    assert_eq!((held(&pool, NEW).await.1, audited(&pool).await.len()), (version + 1, 1));
}

#[rstest]
#[case("keys.before_commit", false)]
#[case("keys.after_commit", true)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_dies_has_re_encrypted_all_or_none_and_is_run_again(#[case] point: &str, #[case] is_done: bool) {
    let both = format!("{NEW},{OLD}");
    let (database, pool) = configured(OLD).await;
    let died = Command::new(env!("CARGO_BIN_EXE_erpctl"))
        .args(["keys", "rotate"])
        .env_clear()
        .envs([("DATABASE_URL", &database.url_for("erp_owner")), ("ERP_ENCRYPTION_KEYS", &both)])
        .env("ERP_FAILPOINT", point)
        .output()
        .expect("it starts");
    assert_eq!(died.status.signal(), Some(6), "{died:?}");
    let key = Some(if is_done { "new" } else { "old" }.to_owned());
    assert_eq!(held(&pool, &both).await.0, vec![key; 4]);
    assert_eq!(audited(&pool).await.len(), usize::from(is_done));
    let run = rotate(&database, &both);
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(held(&pool, NEW).await.0, vec![Some("new".to_owned()); 4]);
    assert_eq!(audited(&pool).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_cant_be_opened_leaves_everything_as_it_was() {
    let lost = "lost:AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let (database, pool) = configured(lost).await;
    let run = rotate(&database, &format!("{NEW},{OLD}"));
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    let told = "previous_webhook_secret_enc can't be opened; nothing was changed: it is encrypted with the key `lost`";
    assert!(run.err.contains(told), "{}", run.err);
    let old = Some("old".to_owned());
    assert_eq!(held(&pool, OLD).await.0, [old.clone(), old.clone(), old, None]);
    assert!(audited(&pool).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_configuration_or_with_a_deleted_one_there_is_nothing_to_do() {
    let database = TestDatabase::new().await;
    let nothing = "re-encrypted 0 secrets with the key `new`; 0 secrets had it already\n";
    assert_eq!(rotate(&database, NEW).out, nothing);
    sqlx::query(
        "INSERT INTO config.erp_configurations (base_url, api_key_enc, api_secret_enc, deleted_at)
         VALUES ('https://erp.example.com', '', '', now())",
    )
    .execute(&database.pool("erp_owner").await)
    .await
    .expect("a tombstone");
    assert_eq!(rotate(&database, NEW).out, nothing);
}

/// A ciphertext that the rotation does not know of would be lost with its key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_column_of_ciphertexts_is_rotated() {
    let database = TestDatabase::new().await;
    let columns: Vec<String> = sqlx::query_scalar(
        "SELECT concat_ws('.', table_schema, table_name, column_name) FROM information_schema.columns
         JOIN information_schema.tables USING (table_schema, table_name)
         WHERE column_name LIKE '%\\_enc' AND table_type = 'BASE TABLE' ORDER BY ordinal_position",
    )
    .fetch_all(&database.pool("erp_owner").await)
    .await
    .expect("columns");
    assert_eq!(columns, SECRET_COLUMNS.map(|column| format!("config.erp_configurations.{column}")));
}
