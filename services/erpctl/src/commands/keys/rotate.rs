//! `erpctl keys rotate`: what older keys of ERP_ENCRYPTION_KEYS have encrypted is encrypted by the first one, so that the others can go.
//!
//! One transaction, with the configuration's row locked, so that a change saved meanwhile comes before or after it and is never undone: killed at
//! any moment it has re-encrypted all secrets or none. Every secret is opened, also those that are the first key's already: one that can't be opened
//! leaves everything as it was. The row's new version has every service read it again within a second.

use std::collections::BTreeSet;

use entities::config::SECRET_COLUMNS;
use secrets::{Keyring, Place, sealed_with};
use sqlx::{AssertSqlSafe, PgConnection, Row as _};
use uuid::Uuid;

use crate::failure::Failure;
use crate::opened;
use crate::output::print;

const TABLE: &str = "config.erp_configurations";

/// What was done, by the ids of keys.
struct Rotated {
    key: String,
    anew: usize,
    already: usize,
    /// Those that had encrypted something, and that nothing needs any more.
    free: BTreeSet<String>,
}

pub(crate) async fn rotate(by: &str) -> Result<(), Failure> {
    let keyring = opened::keyring()?;
    let pool = opened::database().await?;
    let cant = |error| Failure::failed("the secrets could not be re-encrypted; nothing was changed", error);
    let mut transaction = pool.begin().await.map_err(cant)?;
    let Rotated { key, anew, already, free } = all(&mut transaction, &keyring, by).await?;
    service::failpoint!("keys.before_commit");
    transaction.commit().await.map_err(cant)?;
    service::failpoint!("keys.after_commit");
    let count = |count: usize| format!("{count} secret{}", if count == 1 { "" } else { "s" });
    let mut told = format!("re-encrypted {} with the key `{key}`; {} had it already\n", count(anew), count(already));
    if !free.is_empty() {
        let free = free.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        told.push_str(&format!("no secret needs {free} any more, once every service runs with `{key}` first\n"));
    }
    print(&told)
}

async fn all(connection: &mut PgConnection, keyring: &Keyring, by: &str) -> Result<Rotated, Failure> {
    let key = keyring.ids().next().unwrap_or_default().to_owned();
    let mut rotated = Rotated { key, anew: 0, already: 0, free: BTreeSet::new() };
    let columns = SECRET_COLUMNS.join(", ");
    let cant = |error| Failure::failed("the secrets could not be read; nothing was changed", error);
    let row = sqlx::query(AssertSqlSafe(format!("SELECT id, {columns} FROM {TABLE} FOR UPDATE")))
        .fetch_optional(&mut *connection)
        .await
        .map_err(cant)?;
    let Some(row) = row else { return Ok(rotated) };
    let id: Uuid = row.try_get("id").map_err(cant)?;
    let mut anew: Vec<Option<Vec<u8>>> = Vec::new();
    for column in SECRET_COLUMNS {
        let sealed: Option<Vec<u8>> = row.try_get(column).map_err(cant)?;
        // A deleted configuration keeps its row, and nothing in these.
        let Some(sealed) = sealed.filter(|sealed| !sealed.is_empty()) else {
            anew.push(None);
            continue;
        };
        let place = Place { table: TABLE, row: id, column };
        let secret = keyring
            .decrypt(&place, &sealed)
            .map_err(|error| Failure::failed(&format!("{column} can't be opened; nothing was changed"), error))?;
        if keyring.is_outdated(&sealed) {
            rotated.free.extend(sealed_with(&sealed));
            rotated.anew += 1;
            anew.push(Some(keyring.encrypt(&place, &secret)));
        } else {
            rotated.already += 1;
            anew.push(None);
        }
    }
    if rotated.anew > 0 {
        write(connection, id, anew).await.map_err(cant)?;
        audit(connection, id, &rotated, by).await.map_err(cant)?;
    }
    Ok(rotated)
}

/// Writes those that are there; the others stay.
async fn write(connection: &mut PgConnection, id: Uuid, anew: Vec<Option<Vec<u8>>>) -> Result<(), sqlx::Error> {
    let set = SECRET_COLUMNS
        .iter()
        .enumerate()
        .map(|(index, column)| format!("{column} = coalesce(${}, {column})", index + 2));
    let statement = format!("UPDATE {TABLE} SET {} WHERE id = $1", set.collect::<Vec<_>>().join(", "));
    let query =
        anew.into_iter().fold(sqlx::query(AssertSqlSafe(statement)).bind(id), |query, sealed| query.bind(sealed));
    query.execute(connection).await?;
    Ok(())
}

async fn audit(connection: &mut PgConnection, id: Uuid, rotated: &Rotated, by: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO audit.erp_audit_logs (action, entity_type, entity_id, status, performed_by, metadata)
         VALUES ('config_updated', 'configuration', $1, 'success', $2, $3)",
    )
    .bind(id.to_string())
    .bind(by)
    .bind(serde_json::json!({
        "operation": "keys.rotated", "to": rotated.key, "from": rotated.free, "secrets": rotated.anew,
    }))
    .execute(connection)
    .await?;
    Ok(())
}
