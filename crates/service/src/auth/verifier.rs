//! Tells a token that holds from one that does not.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use actix_web::web;
use domain::ErrorCode;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use time::OffsetDateTime;

use super::jwks::{Found, Jwks, Pace};
use super::{Principal, Role, Settings};
use crate::http::ApiError;
use crate::metrics::Counter;

/// A longer token is none of ours.
const LONGEST_TOKEN: usize = 8 << 10;
/// A longer subject fits no audit row.
const LONGEST_SUBJECT: usize = 255;

/// Why a token does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no bearer token")]
    Missing,
    #[error("it can't be read, or a claim is missing")]
    Malformed,
    #[error("its algorithm is not the key's")]
    Algorithm,
    #[error("it names no key of ours")]
    UnknownKey,
    #[error("its signature does not match")]
    Signature,
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet")]
    NotYetValid,
    #[error("it is somebody else's: wrong issuer")]
    Issuer,
    #[error("it is for somebody else: wrong audience")]
    Audience,
    #[error("it gives no role here")]
    NoRole,
    #[error("the keys can't be read")]
    NoKeys,
}

impl Refusal {
    /// A short name for metrics and the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Algorithm => "algorithm",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::NoRole => "no_role",
            Self::NoKeys => "no_keys",
        }
    }
}

impl From<Refusal> for ApiError {
    /// 401, 403 or 503. What the client is told helps those who own the token, and nobody to forge one.
    fn from(refusal: Refusal) -> Self {
        Counter::AuthRefused.increment(&[("reason", refusal.as_str())]);
        let message = match refusal {
            Refusal::NoRole => return super::extract::forbidden().caused_by(refusal),
            Refusal::NoKeys => {
                return Self::new(ErrorCode::ServiceUnavailable, "tokens can't be checked at the moment; try again")
                    .retry_after(Pace::default().between_reads)
                    .caused_by(refusal);
            }
            Refusal::Missing => "sign in, or send a bearer token",
            Refusal::Expired => "the token has expired; sign in again",
            Refusal::NotYetValid => "the token is not valid yet; check the clock of who issued it",
            _ => "the token is not accepted; sign in again",
        };
        Self::new(ErrorCode::AuthFailed, message).caused_by(refusal)
    }
}

/// The claims that are read.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
}

/// Checks tokens; clones share its keys.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    secret: Option<DecodingKey>,
    jwks: Option<Jwks>,
    issuer: String,
    audience: String,
    leeway: u64,
}

impl Verifier {
    /// Reads no keys yet, so that a service starts whether they can be had or not.
    ///
    /// # Errors
    /// No HTTP client can be made.
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        Self::with_pace(settings, Pace::default())
    }

    /// As [`Self::new`], reading the key set as often as a token with an unknown key comes. For tests of rotation.
    ///
    /// # Errors
    /// As [`Self::new`].
    #[doc(hidden)]
    pub fn reading_keys_eagerly(settings: &Settings) -> anyhow::Result<Self> {
        let at_once = std::time::Duration::ZERO;
        Self::with_pace(settings, Pace { fresh_for: at_once, between_reads: at_once })
    }

    fn with_pace(settings: &Settings, pace: Pace) -> anyhow::Result<Self> {
        let secret = settings.secret.as_ref().map(|secret| DecodingKey::from_secret(secret.expose_secret().as_bytes()));
        Ok(Self(Arc::new(Inner {
            secret,
            jwks: settings.key_set.clone().map(|source| Jwks::new(source, pace)).transpose()?,
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
            leeway: settings.leeway.as_secs(),
        })))
    }

    /// Lets the extractors of these routes ask it.
    pub fn configure(&self, config: &mut web::ServiceConfig) {
        config.app_data(web::Data::new(self.clone()));
    }

    /// Who shows this token (without `Bearer`).
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn verify(&self, token: &str) -> Result<Principal, Refusal> {
        if token.len() > LONGEST_TOKEN {
            return Err(Refusal::Malformed);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|error| refusal_of(error.kind()))?;
        // We understand no extension, so none may be critical.
        if header.crit.is_some() {
            return Err(Refusal::Malformed);
        }
        let claims = match header.alg {
            Algorithm::HS256 => {
                self.check(token, Algorithm::HS256, self.0.secret.as_ref().ok_or(Refusal::Algorithm)?)?
            }
            Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA => self.check_by_key_set(token, &header).await?,
            _ => return Err(Refusal::Algorithm),
        };
        principal(claims)
    }

    async fn check_by_key_set(&self, token: &str, header: &Header) -> Result<Claims, Refusal> {
        let jwks = self.0.jwks.as_ref().ok_or(Refusal::Algorithm)?;
        let id = header.kid.as_deref().ok_or(Refusal::UnknownKey)?;
        let keys = match jwks.find(id).await {
            Found::Key(keys) => keys,
            Found::Unknown => return Err(Refusal::UnknownKey),
            Found::NoSet => return Err(Refusal::NoKeys),
        };
        let key = keys.get(id).ok_or(Refusal::UnknownKey)?;
        self.check(token, key.algorithm, &key.key)
    }

    fn check(&self, token: &str, algorithm: Algorithm, key: &DecodingKey) -> Result<Claims, Refusal> {
        let mut wanted = Validation::new(algorithm);
        // Without these the library lets a token pass that says nothing of them.
        wanted.required_spec_claims = ["iss", "aud", "exp", "nbf", "sub"].map(str::to_owned).into();
        wanted.validate_nbf = true;
        wanted.leeway = self.0.leeway;
        wanted.iss = Some(HashSet::from([self.0.issuer.clone()]));
        wanted.aud = Some(HashSet::from([self.0.audience.clone()]));
        let checked = jsonwebtoken::decode(token, key, &wanted).map_err(|error| refusal_of(error.kind()))?;
        Ok(checked.claims)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("issuer", &self.0.issuer).finish_non_exhaustive()
    }
}

fn refusal_of(kind: &ErrorKind) -> Refusal {
    match kind {
        ErrorKind::InvalidSignature => Refusal::Signature,
        ErrorKind::ExpiredSignature => Refusal::Expired,
        ErrorKind::ImmatureSignature => Refusal::NotYetValid,
        ErrorKind::InvalidIssuer => Refusal::Issuer,
        ErrorKind::InvalidAudience => Refusal::Audience,
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => Refusal::Algorithm,
        _ => Refusal::Malformed,
    }
}

fn principal(claims: Claims) -> Result<Principal, Refusal> {
    let readable =
        (1..=LONGEST_SUBJECT).contains(&claims.sub.chars().count()) && !claims.sub.contains(char::is_control);
    if !readable {
        return Err(Refusal::Malformed);
    }
    let expires_at = OffsetDateTime::from_unix_timestamp(claims.exp).map_err(|_| Refusal::Malformed)?;
    let given = claims.role.iter().chain(&claims.roles).filter_map(|role| Role::parse(role));
    let role = given.max_by_key(|role| *role == Role::Admin).ok_or(Refusal::NoRole)?;
    Ok(Principal { subject: claims.sub, role, expires_at })
}
