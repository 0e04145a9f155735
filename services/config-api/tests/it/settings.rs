//! A wrong environment stops the start.

use config_api::Config;
use service::Binary;
use service::settings::{self, Common, Env};

use crate::kit::KEYS;

fn mistakes(pairs: &[(&str, &str)]) -> String {
    let common = [("DATABASE_URL", "postgres://a@b/c"), ("NATS_URL", "nats://a:b@c")];
    let pairs = common.into_iter().chain(testkit::tokens::environment()).chain(pairs.iter().copied());
    let read = settings::read(Env::from_pairs(Binary::ConfigApi, pairs), |env| (Common::read(env), Config::read(env)));
    read.map(|_| ()).expect_err("mistakes").to_string()
}

#[test]
fn keys_and_base_url_are_checked_with_everything_else() {
    let told = mistakes(&[
        ("ERP_ENCRYPTION_KEYS", "k1:c2VjcmV0"),
        ("FLASHERP_BASE_URL", "https://169.254.169.254/"),
        ("FLASHERP_ENABLED", "on"),
    ]);
    let expected = "config-api cannot start: 3 mistakes in its environment variables.
  ERP_ENCRYPTION_KEYS: the key `k1` has 6 bytes and must have 32; write the base64 of 32 random bytes, as `erpctl keys generate` prints it
  FLASHERP_ENABLED: `on` can't be used; write `true`, `false`, `1` or `0`
  FLASHERP_BASE_URL: the base URL must not lead to loopback, private, link-local, metadata or reserved addresses (169.254.169.254); for development ERP_ALLOW_PRIVATE_BASE_URL=true lets http and private addresses pass";
    assert_eq!(told, expected);
}

#[test]
fn http_needs_to_be_allowed() {
    assert!(
        mistakes(&[("ERP_ENCRYPTION_KEYS", KEYS), ("FLASHERP_BASE_URL", "http://erp.example.com")])
            .contains("must begin with https://")
    );
}
