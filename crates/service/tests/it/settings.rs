//! A wrong environment is told whole, in plain words, and shows no secret.

use service::Binary;
use service::settings::{self, Common, Env, Mistakes};

const GOOD: [(&str, &str); 2] =
    [("DATABASE_URL", "postgres://erp_ingress:pw@127.0.0.1/erp"), ("NATS_URL", "nats://ingress:pw@127.0.0.1:4222")];

fn read(pairs: &[(&str, &str)]) -> Result<Common, Mistakes> {
    settings::read(Env::from_pairs(Binary::Ingress, pairs.iter().copied()), Common::read)
}

fn with(pairs: &[(&str, &str)]) -> Result<Common, Mistakes> {
    read(&[&GOOD, pairs].concat())
}

/// The one mistake there is.
fn problem(pairs: &[(&str, &str)]) -> String {
    let mistakes = with(pairs).expect_err("a mistake").list;
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    mistakes[0].problem.clone()
}

#[test]
fn the_least_environment_gives_the_documented_defaults() {
    let common = read(&GOOD).expect("good");
    assert_eq!(common.http_addr.map(|address| address.to_string()).as_deref(), Some("127.0.0.1:8087"));
    assert_eq!(common.management_addr.to_string(), "127.0.0.1:8090");
    assert_eq!(common.log_filter, "info,actix_server=warn,async_nats=warn");
    assert_eq!(common.shutdown_grace.as_secs(), 25);
    assert_eq!(common.db_max_connections, 10);
    assert_eq!((common.otlp_endpoint, common.port_file), (None, None));
}

#[test]
fn all_mistakes_are_told_at_once_in_plain_words() {
    let mistakes = read(&[
        ("DATABASE_URL", "postgres:erp"),
        ("HTTP_ADDR", "localhost"),
        ("MANAGEMENT_ADDR", "127.0.0.1:99999"),
        ("HTTP_WORKERS", "0"),
        ("ERP_SHUTDOWN_GRACE_SECS", "soon"),
        ("ERP_DB_MAX_CONNECTION", "5"),
        ("RUST_LOG", "info,sqlx=loud"),
        ("NATS_SUBJECT_PREFIX", "a b"),
    ])
    .expect_err("mistakes");
    let expected = "ingress cannot start: 9 mistakes in its environment variables.
  DATABASE_URL: its value (not shown here) can't be used; write a URL, like `postgres://role:password@host:5432/erp`
  NATS_URL: is missing; set it to one or more URLs separated by commas, like `nats://user:password@host:4222`
  NATS_SUBJECT_PREFIX: write letters, digits, `-` and `_`, ending with a dot, like `t1.`
  HTTP_ADDR: `localhost` can't be used; write an address and a port, like `127.0.0.1:8080`
  HTTP_WORKERS: `0` can't be used; write a whole number from 1 to 256 (threads)
  MANAGEMENT_ADDR: `127.0.0.1:99999` can't be used; write an address and a port, like `127.0.0.1:8080`
  RUST_LOG: `info,sqlx=loud` is no log filter; write something like `info` or `info,sqlx=debug`
  ERP_SHUTDOWN_GRACE_SECS: `soon` can't be used; write a whole number from 0 to 3600 (seconds)
  ERP_DB_MAX_CONNECTION: is not known; did you mean ERP_DB_MAX_CONNECTIONS?";
    assert_eq!(mistakes.to_string(), expected);
}

#[test]
fn a_misspelt_variable_of_ours_is_told_with_what_was_meant() {
    assert_eq!(problem(&[("SYNC_MAX_RETRY", "9")]), "is not known; did you mean SYNC_MAX_RETRIES?");
    assert_eq!(problem(&[("FLASHERP_WEBHOOK_SECERT", "s")]), "is not known; did you mean FLASHERP_WEBHOOK_SECRET?");
    let unlike_any = problem(&[("CIRCUIT_X", "1")]);
    assert_eq!(unlike_any, "is not known; remove it, or see the README's table for the names there are");
}

#[test]
fn other_programs_variables_and_kubernetes_service_links_are_let_be() {
    with(&[
        ("PATH", "/bin"),
        ("HTTP_PROXY", "http://proxy:3128"),
        ("NATS_SERVICE_HOST", "10.0.0.1"),
        ("NATS_SERVICE_PORT", "4222"),
        ("NATS_SERVICE_PORT_CLIENT", "4222"),
        ("NATS_PORT", "tcp://10.0.0.1:4222"),
        ("NATS_PORT_4222_TCP_ADDR", "10.0.0.1"),
        ("FLASHERP_SANDBOX_PORT_8084_TCP", "tcp://10.0.0.2:8084"),
    ])
    .expect("nothing of ours");
}

#[test]
fn another_binarys_variables_are_no_mistake_so_that_one_environment_serves_all() {
    with(&[("SYNC_MAX_RETRIES", "9"), ("AUTH_JWT_SECRET", "x"), ("ERP_PORT_BASE", "9000")]).expect("all known");
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let common = with(&[("HTTP_ADDR", " "), ("OTEL_EXPORTER_OTLP_ENDPOINT", "")]).expect("good");
    assert_eq!(common.http_addr.map(|address| address.port()), Some(8087));
    assert!(problem(&[("NATS_URL", "")]).starts_with("is missing"));
}

#[test]
fn a_secrets_value_is_in_no_mistake_and_no_debug_output() {
    let mistakes = read(&[("DATABASE_URL", "hunter2"), ("NATS_URL", "nats://a:4222,hunter2")]).expect_err("mistakes");
    assert_eq!(mistakes.list.len(), 2);
    assert!(!format!("{mistakes} {mistakes:?}").contains("hunter2"), "{mistakes}");
    let common = with(&[("DATABASE_URL", "postgres://erp_ingress:hunter2@127.0.0.1/erp")]).expect("good");
    assert!(!format!("{common:?}").contains("hunter2"));
}

#[test]
fn several_brokers_and_a_socket_directory_are_taken() {
    with(&[("NATS_URL", "nats://a:4222, nats://b:4222"), ("DATABASE_URL", "postgres:///erp?host=/run/postgresql")])
        .expect("good");
}

#[test]
fn a_binary_without_database_needs_none() {
    let common =
        settings::read(Env::from_pairs(Binary::Sandbox, [("HTTP_ADDR", "127.0.0.1:0")]), Common::read).expect("good");
    assert!(common.database_url.is_none() && common.nats_url.is_none());
}

#[test]
fn the_table_is_in_order() {
    for setting in settings::ALL {
        let once = settings::ALL.iter().filter(|other| other.name == setting.name).count();
        assert_eq!(once, 1, "{} is there {once} times", setting.name);
        assert!(setting.doc.trim().ends_with('.'), "{} has no sentence about it", setting.name);
    }
}
