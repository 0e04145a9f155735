//! Each kind of value: what is taken, and what is not.

use std::time::Duration;

use rstest::rstest;
use secrecy::ExposeSecret as _;
use service::Binary;
use service::settings::{self, Env};

/// Reads one variable of the sync worker, ingress or config-api.
fn read<T>(binary: Binary, name: &str, value: &str, get: impl FnOnce(&mut Env) -> T) -> Result<T, String> {
    settings::read(Env::from_pairs(binary, [(name, value)]), get).map_err(|mistakes| mistakes.list[0].problem.clone())
}

#[rstest]
#[case("true", Ok(true))]
#[case("1", Ok(true))]
#[case("false", Ok(false))]
#[case("0", Ok(false))]
#[case("yes", Err("`yes` can't be used; write `true`, `false`, `1` or `0`".to_owned()))]
#[case("TRUE", Err("`TRUE` can't be used; write `true`, `false`, `1` or `0`".to_owned()))]
fn a_flag(#[case] value: &str, #[case] expected: Result<bool, String>) {
    let name = "ERP_ALLOW_PRIVATE_BASE_URL";
    assert_eq!(read(Binary::SyncWorker, name, value, |env| env.flag(&settings::ERP_ALLOW_PRIVATE_BASE_URL)), expected);
}

#[test]
fn an_unset_flag_is_not_a_false_one() {
    let get = |env: &mut Env| env.opt_flag(&settings::FLASHERP_ENABLED);
    assert_eq!(read(Binary::Ingress, "FLASHERP_ENABLED", "", get), Ok(None));
    assert_eq!(read(Binary::Ingress, "FLASHERP_ENABLED", "false", get), Ok(Some(false)));
}

#[rstest]
#[case("7", Ok(7))]
#[case("100", Ok(100))]
#[case("101", Err("`101` can't be used; write a whole number from 0 to 100 (retries)".to_owned()))]
#[case("-1", Err("`-1` can't be used; write a whole number from 0 to 100 (retries)".to_owned()))]
#[case("1.5", Err("`1.5` can't be used; write a whole number from 0 to 100 (retries)".to_owned()))]
fn a_number_in_its_range(#[case] value: &str, #[case] expected: Result<u32, String>) {
    assert_eq!(
        read(Binary::SyncWorker, "SYNC_MAX_RETRIES", value, |env| env.u32(&settings::SYNC_MAX_RETRIES)),
        expected
    );
}

#[test]
fn a_time_in_its_unit() {
    let wait =
        read(Binary::SyncWorker, "FLASHERP_SETTLE_SECS", "90", |env| env.duration(&settings::FLASHERP_SETTLE_SECS));
    assert_eq!(wait, Ok(Duration::from_secs(90)));
}

#[rstest]
#[case("inbound", Ok(vec!["inbound"]))]
#[case(" outbound , inbound ", Ok(vec!["outbound", "inbound"]))]
#[case("inbound,", Err("`inbound,` can't be used; write one or more of `outbound`, `inbound`, separated by commas".to_owned()))]
#[case("both", Err("`both` can't be used; write one or more of `outbound`, `inbound`, separated by commas".to_owned()))]
fn words_of_a_set(#[case] value: &str, #[case] expected: Result<Vec<&str>, String>) {
    let read = read(Binary::SyncWorker, "SYNC_WORKER_ROLES", value, |env| env.list(&settings::SYNC_WORKER_ROLES));
    assert_eq!(read, expected.map(|words| words.into_iter().map(ToOwned::to_owned).collect()));
}

#[rstest]
#[case("10.0.0.0/8, 192.168.1.4,::1", Ok(vec!["10.0.0.0/8", "192.168.1.4/32", "::1/128"]))]
#[case("10.0.0.0/33", Err("`10.0.0.0/33` can't be used; write addresses or networks separated by commas, like `10.0.0.0/8,192.168.1.4`".to_owned()))]
fn networks(#[case] value: &str, #[case] expected: Result<Vec<&str>, String>) {
    let read = read(Binary::Ingress, "TRUSTED_PROXIES", value, |env| env.networks(&settings::TRUSTED_PROXIES));
    assert_eq!(
        read.map(|networks| networks.iter().map(ToString::to_string).collect::<Vec<_>>()),
        expected.map(|all| all.into_iter().map(ToOwned::to_owned).collect())
    );
}

#[test]
fn secrets_separated_by_commas() {
    let secrets = read(Binary::Ingress, "STRIPE_WEBHOOK_SECRET", "whsec_a, whsec_b", |env| {
        env.secrets(&settings::STRIPE_WEBHOOK_SECRET)
    });
    let secrets: Vec<_> = secrets.expect("good").iter().map(|secret| secret.expose_secret().to_owned()).collect();
    assert_eq!(secrets, ["whsec_a", "whsec_b"]);
    let wrong = read(Binary::Ingress, "STRIPE_WEBHOOK_SECRET", "whsec_a,,b", |env| {
        env.secrets(&settings::STRIPE_WEBHOOK_SECRET)
    });
    assert_eq!(
        wrong.err().as_deref(),
        Some("its value (not shown here) can't be used; write values separated by commas")
    );
}

#[test]
fn a_callers_own_kind_says_itself_what_to_write() {
    let get = |env: &mut Env| env.parsed(&settings::ERP_ENCRYPTION_KEYS, || 0, |_| Err("write a key".to_owned()));
    assert_eq!(read(Binary::Ingress, "ERP_ENCRYPTION_KEYS", "hunter2", get), Err("write a key".to_owned()));
    assert!(
        read(Binary::Ingress, "ERP_ENCRYPTION_KEYS", "", get).is_err_and(|problem| problem.starts_with("is missing"))
    );
}
