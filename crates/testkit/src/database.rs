//! A migrated database for one test.
//!
//! The migrations run once per cluster, into a template that is named by their checksums; a test's database is a copy
//! of it. The template is made under another name and renamed when it is whole: a process killed while making it leaves
//! nothing that looks finished. An advisory lock lets one process make it while the others wait.

use std::path::Path;

use local_stack::{Postgres, Scratch};
use migrations::{ROLES, ROLES_SQL, migrator};
use sha2::{Digest as _, Sha256};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool};
use uuid::Uuid;

use crate::infra::{binaries, scratch, shared, start_postgres};

const TEMPLATE_LOCK: i64 = 0x6572_705f_7465_7374;

/// A database of a test's own on the shared server, dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    admin: PgConnectOptions,
    name: String,
    password: String,
    port: u16,
}

impl TestDatabase {
    /// A new one with every migration applied and every role there.
    ///
    /// # Panics
    /// When there is no server, or the migrations fail.
    pub async fn new() -> Self {
        let admin_url = &shared().await.pg_admin_url;
        let admin: PgConnectOptions = admin_url.parse().expect("TEST_PG_ADMIN_URL is a PostgreSQL URL");
        let password = password_of(admin_url);
        let port = admin.get_port();
        let template = template(&admin, &password).await;
        let name = format!("t_{}", Uuid::new_v4().simple());
        let mut connection = connect(&admin).await;
        run(&mut connection, format!("CREATE DATABASE {name} TEMPLATE {template} OWNER erp_owner")).await;
        connection.close().await.expect("the connection closes");
        Self { admin, name, password, port }
    }

    /// A copy of it as it is now: a backup. Ends all sessions on it, as a copy needs.
    ///
    /// # Panics
    /// When the server refuses, say because somebody connects meanwhile.
    pub async fn copy(&self) -> Self {
        let name = format!("t_{}", Uuid::new_v4().simple());
        let mut connection = connect(&self.admin).await;
        let sessions = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = $1";
        sqlx::query(sessions).bind(&self.name).execute(&mut connection).await.expect("sessions can be ended");
        run(&mut connection, format!("CREATE DATABASE {name} TEMPLATE {} OWNER erp_owner", self.name)).await;
        connection.close().await.expect("the connection closes");
        Self { admin: self.admin.clone(), name, password: self.password.clone(), port: self.port }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How a role (`erp_ingress`, ...) reaches it.
    pub fn url_for(&self, role: &str) -> String {
        local_stack::postgres::url(role, &self.password, self.port, &self.name)
    }

    /// The superuser's way in.
    pub fn admin_url(&self) -> String {
        self.url_for(local_stack::postgres::SUPERUSER)
    }

    /// A pool of at most 5 connections as `role`.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn pool(&self, role: &str) -> PgPool {
        pool(&self.url_for(role)).await
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (admin, name) = (self.admin.clone(), self.name.clone());
        // A destructor can't await, and the test's runtime may be on its way out. What stays behind when this fails
        // goes with the server at the end of the run.
        let dropper = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                if let Ok(mut connection) = PgConnection::connect_with(&admin).await {
                    let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                    drop(connection.execute(AssertSqlSafe(statement)).await);
                }
            });
        });
        drop(dropper.join());
    }
}

/// A migrated database `erp` on a server of the test's own, to be killed and started again.
#[derive(Debug)]
pub struct PrivateDatabase {
    /// The server.
    pub postgres: Postgres,
    _scratch: Scratch,
}

impl PrivateDatabase {
    /// A new server with the database `erp`, migrated.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start() -> Self {
        let scratch = scratch();
        let folder = scratch.path().to_owned();
        Self::make(&folder, scratch).await
    }

    /// The same with its data in `folder`.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_in(folder: &Path) -> Self {
        Self::make(folder, scratch()).await
    }

    async fn make(folder: &Path, scratch: Scratch) -> Self {
        let postgres = start_postgres(&binaries(), folder, &scratch).await;
        let admin_url = postgres.admin_url();
        let admin: PgConnectOptions = admin_url.parse().expect("our own URL");
        let password = password_of(&admin_url);
        let mut connection = connect(&admin).await;
        make_roles(&mut connection, &password).await;
        make_migrated(&mut connection, &admin, &password, "erp").await;
        connection.close().await.expect("the connection closes");
        Self { postgres, _scratch: scratch }
    }

    /// How a role reaches it.
    pub fn url_for(&self, role: &str) -> String {
        self.postgres.url(role, "erp")
    }

    /// The superuser's way in.
    pub fn admin_url(&self) -> String {
        self.url_for(local_stack::postgres::SUPERUSER)
    }

    /// A pool of at most 5 connections as `role`.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn pool(&self, role: &str) -> PgPool {
        pool(&self.url_for(role)).await
    }
}

/// The name of the template of these migrations, which is made when it isn't there.
async fn template(admin: &PgConnectOptions, password: &str) -> String {
    let mut checksums = Sha256::new();
    checksums.update(ROLES_SQL);
    for migration in migrator().iter() {
        checksums.update(&migration.checksum);
    }
    let digest = hex::encode(checksums.finalize());
    let name = format!("template_{}", digest.get(..16).expect("a digest is longer"));
    let mut connection = connect(admin).await;
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(TEMPLATE_LOCK)
        .execute(&mut connection)
        .await
        .expect("the advisory lock is given");
    let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(&name)
        .fetch_one(&mut connection)
        .await
        .expect("databases can be listed");
    if !there {
        let half = format!("{name}_half");
        run(&mut connection, format!("DROP DATABASE IF EXISTS {half} WITH (FORCE)")).await;
        make_roles(&mut connection, password).await;
        make_migrated(&mut connection, admin, password, &half).await;
        run(&mut connection, format!("ALTER DATABASE {half} RENAME TO {name}")).await;
    }
    // Closing the session gives the lock back.
    connection.close().await.expect("the connection closes");
    name
}

async fn make_roles(connection: &mut PgConnection, password: &str) {
    connection.execute(AssertSqlSafe(ROLES_SQL)).await.expect("deploy/roles.sql runs");
    for role in ROLES {
        run(connection, format!("ALTER ROLE {role} PASSWORD '{password}'")).await;
    }
}

async fn make_migrated(connection: &mut PgConnection, admin: &PgConnectOptions, password: &str, name: &str) {
    run(connection, format!("CREATE DATABASE {name} OWNER erp_owner")).await;
    let owner = admin.clone().username("erp_owner").password(password).database(name);
    let mut session = connect(&owner).await;
    migrator().run(&mut session).await.unwrap_or_else(|error| panic!("the migrations fail: {error}"));
    session.close().await.expect("the connection closes");
}

async fn connect(options: &PgConnectOptions) -> PgConnection {
    PgConnection::connect_with(options)
        .await
        .unwrap_or_else(|error| panic!("no connection to the test's PostgreSQL: {error}"))
}

/// With the services' search path, on which what a type is called depends.
async fn pool(url: &str) -> PgPool {
    let options: PgConnectOptions = url.parse().expect("our own URL");
    PgPoolOptions::new()
        .max_connections(5)
        .connect_with(options.options([("search_path", entities::SEARCH_PATH)]))
        .await
        .unwrap_or_else(|error| panic!("no connection to the test's PostgreSQL: {error}"))
}

/// Runs a statement made of names and passwords that were made here.
async fn run(connection: &mut PgConnection, statement: String) {
    connection
        .execute(AssertSqlSafe(statement))
        .await
        .unwrap_or_else(|error| panic!("the test's PostgreSQL refuses: {error}"));
}

/// `postgres://user:PASSWORD@host`.
fn password_of(url: &str) -> String {
    let parts = url.split_once("://").and_then(|(_, rest)| rest.split_once('@'));
    let password = parts.and_then(|(user, _)| user.split_once(':')).map(|(_, password)| password);
    password.expect("TEST_PG_ADMIN_URL carries a password, which the roles get too").to_owned()
}
