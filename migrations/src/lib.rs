//! The database's definition, embedded: SQL files, a folder per schema, numbered across all folders.
//!
//! `erpctl migrate` and the tests' template database run exactly this. Running it twice, or from two processes at
//! once, is safe: sqlx holds an advisory lock and skips what is applied. Each file is one transaction: a process that
//! dies half-way leaves the files before it applied and nothing of its own.

use sqlx::migrate::{Migration, Migrator};

/// Creates the roles of design section 2, once per cluster, by a superuser. Idempotent. Passwords are set apart.
pub const ROLES_SQL: &str = include_str!("../../deploy/roles.sql");

/// Puts `upcoach` over a real UpCoach's own tables, by a superuser, after the migrations (`UPCOACH_MODE=views`). Idempotent.
pub const UPCOACH_VIEWS_SQL: &str = include_str!("../../deploy/upcoach-views.sql");

/// The Postgres roles that [`ROLES_SQL`] makes: the owner of all objects, then one per service.
pub const ROLES: [&str; 6] =
    ["erp_owner", "erp_config_api", "erp_ingress", "erp_sync_worker", "erp_scheduler", "erp_reconciler"];

/// All migrations in order of their number. Run it as `erp_owner`, who must own the database.
pub fn migrator() -> Migrator {
    let folders = [
        sqlx::migrate!("./base"),
        sqlx::migrate!("./audit"),
        sqlx::migrate!("./config"),
        sqlx::migrate!("./ingress"),
        sqlx::migrate!("./upcoach"),
        sqlx::migrate!("./sync"),
        sqlx::migrate!("./scheduling"),
        sqlx::migrate!("./reconciliation"),
    ];
    let mut migrations: Vec<Migration> = folders.iter().flat_map(|folder| folder.iter().cloned()).collect();
    migrations.sort_by_key(|migration| migration.version);
    Migrator::with_migrations(migrations)
}

/// The version that a service of this build needs: the number of the last file.
pub fn schema_version() -> i64 {
    migrator().iter().map(|migration| migration.version).max().unwrap_or(0)
}
