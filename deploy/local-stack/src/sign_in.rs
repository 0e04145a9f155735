//! Ways into the gateway for whoever runs the stack: bearer tokens, and a link that makes a session of one.
//!
//! They are made when they are asked for, hold for an hour and are kept nowhere. The token stands behind the link's `#`, which browsers send to no
//! server (docs/decisions/a-session-is-the-token-in-a-cookie.md).

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use time::OffsetDateTime;

/// How long they hold.
pub const HOLDS: Duration = Duration::from_secs(3600);

/// What the services of this stack believe, by the names of their variables.
const SECRET: &str = "AUTH_JWT_SECRET";
const ISSUER: &str = "AUTH_JWT_ISSUER";
const AUDIENCE: &str = "AUTH_JWT_AUDIENCE";
const GATEWAY: &str = "GATEWAY_URL";

/// `ADMIN_TOKEN`, `VIEWER_TOKEN` and `SIGN_IN_URL` for a stack that is reached so; none if it does not say what its services believe.
pub fn ways_in<'a>(env: impl Fn(&str) -> Option<&'a str>, now: OffsetDateTime) -> Vec<(&'static str, String)> {
    let made = || {
        let token = |role| token(role, env(SECRET)?, env(ISSUER)?, env(AUDIENCE)?, now);
        let (admin, viewer) = (token("admin")?, token("viewer")?);
        let link = format!("{}/sign-in#token={admin}", env(GATEWAY)?);
        Some(vec![("ADMIN_TOKEN", admin), ("VIEWER_TOKEN", viewer), ("SIGN_IN_URL", link)])
    };
    made().unwrap_or_default()
}

fn token(role: &str, secret: &str, issuer: &str, audience: &str, now: OffsetDateTime) -> Option<String> {
    let claims = json!({
        "sub": format!("{role}@local"), "role": role, "iss": issuer, "aud": audience,
        "iat": now.unix_timestamp(), "nbf": now.unix_timestamp(), "exp": (now + HOLDS).unix_timestamp(),
    });
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret.as_bytes())).ok()
}
