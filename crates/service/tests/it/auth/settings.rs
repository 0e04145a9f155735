//! A service does not start with settings that would let in whoever comes.

use service::auth::KeySource;
use service::settings::{self as table, Env};

use super::read;

const SECRET: (&str, &str) = ("AUTH_JWT_SECRET", testkit::tokens::SECRET);

fn problems(pairs: &[(&str, &str)]) -> Vec<String> {
    read(pairs).expect_err("mistakes").list.into_iter().map(|mistake| mistake.name).collect()
}

#[test]
fn a_secret_or_a_set_of_keys_is_needed() {
    assert_eq!(problems(&[]), ["AUTH_JWT_SECRET"]);
    assert!(read(&[SECRET]).expect("good").key_set.is_none());
    let file = read(&[("AUTH_JWKS_FILE", "/run/keys.json")]).expect("good");
    assert_eq!((file.secret.is_none(), file.key_set), (true, Some(KeySource::File("/run/keys.json".into()))));
    assert_eq!(
        problems(&[("AUTH_JWKS_FILE", "/run/keys.json"), ("AUTH_JWKS_URL", "https://id/keys")]),
        ["AUTH_JWKS_FILE"]
    );
}

#[test]
fn a_secret_of_fewer_than_32_bytes_is_refused_without_showing_it() {
    let short = "0123456789012345678901234567890";
    let mistakes = read(&[("AUTH_JWT_SECRET", short)]).expect_err("too short");
    assert_eq!(mistakes.list[0].name, "AUTH_JWT_SECRET");
    assert!(!mistakes.to_string().contains(short));
    assert!(read(&[("AUTH_JWT_SECRET", "01234567890123456789012345678901")]).is_ok());
}

#[test]
fn keys_come_over_https_or_from_this_machine() {
    for url in ["http://id.example.com/keys", "http://127.0.0.1.example.com/", "ftp://localhost/"] {
        assert_eq!(problems(&[("AUTH_JWKS_URL", url)]), ["AUTH_JWKS_URL"], "{url}");
    }
    for url in ["https://id.example.com/keys", "http://127.0.0.1:1/keys", "http://[::1]/keys", "http://localhost/"] {
        assert!(read(&[("AUTH_JWKS_URL", url)]).is_ok(), "{url}");
    }
}

#[test]
fn issuer_and_audience_are_needed() {
    let mistakes = table::read(Env::from_pairs(service::Binary::ConfigApi, [SECRET]), service::auth::Settings::read);
    let names: Vec<_> = mistakes.expect_err("mistakes").list.into_iter().map(|mistake| mistake.name).collect();
    assert_eq!(names, ["AUTH_JWT_ISSUER", "AUTH_JWT_AUDIENCE"]);
}
