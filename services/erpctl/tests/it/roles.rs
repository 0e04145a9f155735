//! `erpctl roles`.

use testkit::PrivateDatabase;

use crate::erpctl::erpctl;

async fn can_log_in(database: &PrivateDatabase, role: &str, password: &str) -> bool {
    let port = database.postgres.port();
    sqlx::PgPool::connect(&format!("postgres://{role}:{password}@127.0.0.1:{port}/erp")).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_roles_are_made_and_get_the_password_and_a_second_run_changes_nothing_else() {
    // A server of its own, since roles belong to the whole cluster.
    let database = PrivateDatabase::start().await;
    let admin = database.pool("postgres").await;
    sqlx::raw_sql(
        "REVOKE ALL ON SCHEMA public FROM erp_reconciler; DROP OWNED BY erp_reconciler; DROP ROLE erp_reconciler",
    )
    .execute(&admin)
    .await
    .expect("a role is gone");
    let admin_url = database.admin_url();
    let password = "o'r \"%L\" \\ x";
    for _ in 0..2 {
        let run = erpctl(&["roles"], &[("ERP_ADMIN_DATABASE_URL", &admin_url), ("ERP_ROLE_PASSWORD", password)]);
        assert_eq!(run.code, 0, "{}", run.err);
        assert!(run.err.contains("erp_reconciler") && !run.err.contains(password), "{}", run.err);
    }
    for role in migrations::ROLES {
        assert!(can_log_in(&database, role, "o%27r%20%22%25L%22%20%5C%20x").await, "{role}");
    }
    let rights: Vec<String> =
        sqlx::query_scalar("SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'erp%' AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls)")
            .fetch_all(&admin)
            .await
            .expect("roles");
    assert_eq!(rights, Vec::<String>::new());

    let run = erpctl(&["roles"], &[("ERP_ADMIN_DATABASE_URL", &admin_url)]);
    assert!(run.err.contains("their passwords are as they were"), "{}", run.err);
    assert!(can_log_in(&database, "erp_ingress", "o%27r%20%22%25L%22%20%5C%20x").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_or_not_allowed_is_explained() {
    let run = erpctl(&["roles"], &[]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("ERP_ADMIN_DATABASE_URL: is missing; set it to a superuser's"), "{}", run.err);

    let database = testkit::TestDatabase::new().await;
    let url = database.url_for("erp_ingress");
    let run = erpctl(&["roles"], &[("ERP_ADMIN_DATABASE_URL", &url), ("ERP_ROLE_PASSWORD", "x")]);
    assert_eq!(
        (run.code, run.err.as_str()),
        (1, "erpctl: ERP_ADMIN_DATABASE_URL's role may not make roles; use a superuser's\n")
    );
}
