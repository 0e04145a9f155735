//! Every way in which a token can be wrong, for each role and each kind of key.

use serde_json::json;
use service::auth::Verifier;
use testkit::tokens::{SECRET, SigningKey, Token, key_set};

use super::{Server, read};

/// A service that believes a secret and three public keys.
async fn server(folder: &tempfile::TempDir) -> Server {
    let file = folder.path().join("keys.json");
    let keys = key_set(&[&SigningKey::rsa(), &SigningKey::p256(), &SigningKey::ed25519()]);
    std::fs::write(&file, keys.to_string()).expect("written");
    let file = file.to_str().expect("a path of text");
    let settings = read(&[("AUTH_JWT_SECRET", SECRET), ("AUTH_JWKS_FILE", file)]).expect("good settings");
    Server::start(&Verifier::new(&settings).expect("a verifier"))
}

/// What is the same whatever signs it.
fn wrong_claims(role: &str) -> Vec<(&'static str, Token)> {
    let good = Token::of(role);
    let at = testkit::tokens::in_seconds;
    vec![
        ("expired", good.clone().claim("exp", at(-60))),
        ("no expiry", good.clone().without("exp")),
        ("expiry as text", good.clone().claim("exp", "4102444800")),
        ("negative expiry", good.clone().claim("exp", -1)),
        ("not yet valid", good.clone().claim("nbf", at(60))),
        ("no not-before", good.clone().without("nbf")),
        ("no issuer", good.clone().without("iss")),
        ("wrong issuer", good.clone().claim("iss", "https://id.elsewhere")),
        ("issuer in capitals", good.clone().claim("iss", "HTTPS://ID.TEST")),
        ("no audience", good.clone().without("aud")),
        ("wrong audience", good.clone().claim("aud", "erp")),
        ("empty audience", good.clone().claim("aud", json!([]))),
        ("others' audiences", good.clone().claim("aud", json!(["a", "b"]))),
        ("no subject", good.clone().without("sub")),
        ("empty subject", good.clone().claim("sub", "")),
        ("a subject of two lines", good.clone().claim("sub", "a\nb")),
        ("an endless subject", good.clone().claim("sub", "x".repeat(256))),
        ("a subject that is no text", good.clone().claim("sub", 7)),
        ("an extension that must be understood", good.header("crit", json!(["b64"]))),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_token_of_any_kind_of_key_is_let_in_where_its_role_may_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = server(&folder).await;
    let keys = [SigningKey::rsa(), SigningKey::p256(), SigningKey::ed25519()];
    for (role, expected) in [("admin", [200, 200]), ("viewer", [200, 403])] {
        let token = Token::of(role);
        let among_others = token.clone().claim("aud", json!(["other", "erp-test"]));
        let listed = token.clone().without("role").claim("roles", json!(["other", role]));
        for token in [&token, &among_others, &listed] {
            let signed = keys.iter().map(|key| token.signed_by(key)).chain([token.hs256(SECRET)]);
            for token in signed {
                assert_eq!(server.statuses(&token).await, expected, "{role}: {token}");
            }
        }
    }
    let [(_, read), (_, write)] = server.ask(&[&format!("bearer {}", testkit::tokens::admin())]).await;
    assert_eq!((&read["subject"], &write["subject"]), (&json!("admin@test"), &json!("admin@test")));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_with_a_wrong_claim_is_refused_whoever_signed_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = server(&folder).await;
    let keys = [SigningKey::p256(), SigningKey::ed25519()];
    for role in ["admin", "viewer"] {
        for (what, token) in wrong_claims(role) {
            for token in keys.iter().map(|key| token.signed_by(key)).chain([token.hs256(SECRET)]) {
                assert_eq!(server.statuses(&token).await, [401, 401], "{role}, {what}");
            }
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_none_of_our_keys_signed_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = server(&folder).await;
    for role in ["admin", "viewer"] {
        let good = Token::of(role);
        let signed = good.hs256(SECRET);
        let (unsigned_part, _) = signed.rsplit_once('.').expect("three parts");
        let mut cases = vec![
            ("alg none", good.unsigned()),
            ("alg none with a signature", format!("{}{}", good.unsigned(), "c2lnbmF0dXJl")),
            ("no signature", format!("{unsigned_part}.")),
            ("two parts", unsigned_part.to_owned()),
            (
                "another's claims",
                swap_claims(&good.hs256(SECRET), &Token::of("admin").claim("sub", "x").hs256("other")),
            ),
            ("another secret", good.hs256("another secret, also of more than 32 bytes")),
            ("no secret", good.hs256("")),
            ("HS256 signed with the RSA public key", good.hs256(SigningKey::rsa_public_pem())),
            (
                "HS256 signed with the RSA public key under its id",
                good.clone().header("kid", "rsa").hs256(SigningKey::rsa_public_pem()),
            ),
            ("HS384", good.clone().header("alg", "HS384").hs256(SECRET)),
            ("an unknown key id", good.clone().header("kid", "elsewhere").signed_by(&SigningKey::p256())),
            ("no key id", good.clone().header("kid", json!(null)).signed_by(&SigningKey::p256())),
            ("the id of a key of another kind", good.clone().header("kid", "rsa").signed_by(&SigningKey::p256())),
            ("a key that the token brings along", brings_its_key(&good)),
            ("no token", String::new()),
            ("no JWT", "x".to_owned()),
            ("no JSON", "e30.e30.e30".to_owned()),
            ("endless", format!("{signed}{}", "x".repeat(9000))),
        ];
        let tampered = good.signed_by(&SigningKey::ed25519());
        cases.push(("a signature with another last bits", tampered[..tampered.len() - 4].to_owned() + "AAAA"));
        for (what, token) in cases {
            assert_eq!(server.statuses(&token).await, [401, 401], "{role}, {what}");
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_brings_no_token_or_two_is_refused_in_the_one_body() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = server(&folder).await;
    let (admin, viewer) = (testkit::tokens::admin(), testkit::tokens::viewer());
    let (good, other) = (format!("Bearer {admin}"), format!("Bearer {viewer}"));
    for authorization in [vec![], vec!["Basic YTpi"], vec![&*admin], vec![&*good, &*other], vec![&*good, &*good]] {
        for (status, body) in server.ask(&authorization).await {
            assert_eq!((status, &body["error"], &body["code"]), (401, &json!("Unauthorized"), &json!("AUTH_FAILED")));
            assert!(body["requestId"].is_string() && body["message"].is_string(), "{body}");
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_caller_without_a_role_of_ours_is_forbidden() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = server(&folder).await;
    let good = Token::of("admin");
    for token in [
        good.clone().without("role"),
        good.clone().claim("role", "Admin"),
        good.clone().claim("role", "superuser"),
        good.clone().claim("role", "admin "),
        good.without("role").claim("roles", json!(["administrator"])),
    ] {
        for (status, body) in server.ask(&[&format!("Bearer {}", token.hs256(SECRET))]).await {
            assert_eq!((status, &body["error"], &body["code"]), (403, &json!("Forbidden"), &json!("AUTH_FAILED")));
        }
    }
    server.stop().await;
}

/// Header and signature of one, claims of the other.
fn swap_claims(one: &str, other: &str) -> String {
    let (one, other): (Vec<_>, Vec<_>) = (one.split('.').collect(), other.split('.').collect());
    [one[0], other[1], one[2]].join(".")
}

/// Signed well, by a key that only the token itself vouches for.
fn brings_its_key(token: &Token) -> String {
    let key = SigningKey::p256();
    token.clone().header("kid", "mine").header("jwk", key.public()).signed_by(&key)
}
