//! Stripe's scheme, as its documentation ("Verify webhook signatures manually") has it.
//!
//! One header, `Stripe-Signature: t=<unix seconds>,v1=<hex>[,v1=<hex>...][,v0=<hex>]`. The signed bytes are the timestamp as written, a full
//! stop and the raw body. While a secret is rolled Stripe sends one `v1` per active secret. Only `v1` counts: `v0` is a fake of Stripe's test
//! mode, and believing any other scheme would allow a downgrade.

use super::key::Candidates;
use super::{
    Keys, MAX_ELEMENTS, MAX_HEADER_BYTES, Problem, SignatureError, SigningKey, Verified, check_age, parse_digest,
    parse_timestamp,
};

/// The header's name, lower-case.
pub const HEADER: &str = "stripe-signature";

/// Checks a delivery: `header` is the value of [`HEADER`] if there was one, `body` the bytes as received, `now` our clock in unix seconds.
///
/// # Errors
/// [`SignatureError`], each kind of it; the header is judged before the timestamp's age and that before the signature.
pub fn verify(keys: &Keys, header: Option<&[u8]>, body: &[u8], now: i64) -> Result<Verified, SignatureError> {
    let header = header.ok_or(SignatureError::MissingHeader { header: HEADER })?;
    let parsed = parse(header).map_err(|problem| SignatureError::Malformed { header: HEADER, problem })?;
    check_age(parsed.timestamp, now)?;
    let key = keys.find(parsed.timestamp_text, body, &parsed.candidates).ok_or(SignatureError::Mismatch)?;
    Ok(Verified { key, timestamp: parsed.timestamp })
}

/// The header's value for a body signed at `timestamp` (unix seconds) with each of the keys: what Stripe would send. For the sandbox, tests
/// and benchmarks.
#[must_use]
pub fn sign(keys: &[SigningKey], timestamp: i64, body: &[u8]) -> String {
    let mut header = format!("t={timestamp}");
    for key in keys {
        header.push_str(",v1=");
        header.push_str(&hex::encode(key.digest(timestamp.to_string().as_bytes(), body)));
    }
    header
}

struct Parsed<'a> {
    timestamp: i64,
    timestamp_text: &'a [u8],
    candidates: Candidates,
}

fn parse(header: &[u8]) -> Result<Parsed<'_>, Problem> {
    if header.len() > MAX_HEADER_BYTES {
        return Err(Problem::TooLong);
    }
    let mut timestamp: Option<(i64, &[u8])> = None;
    let mut candidates = Candidates::new();
    let mut has_signature = false;
    for (index, element) in header.split(|byte| *byte == b',').enumerate() {
        if index == MAX_ELEMENTS {
            return Err(Problem::TooManyElements);
        }
        let equals = element.iter().position(|byte| *byte == b'=').ok_or(Problem::NotAPair)?;
        let (name, value) = (&element[..equals], &element[equals + 1..]);
        match name {
            b"t" if timestamp.is_some() => return Err(Problem::Repeated),
            b"t" => timestamp = Some((parse_timestamp(value).ok_or(Problem::TimestampNotDigits)?, value)),
            b"v1" => {
                has_signature = true;
                if let Some(digest) = parse_digest(value) {
                    candidates.push(digest);
                }
            }
            _ => {}
        }
    }
    let (timestamp, timestamp_text) = timestamp.ok_or(Problem::NoTimestamp)?;
    if !has_signature {
        return Err(Problem::NoSignature);
    }
    Ok(Parsed { timestamp, timestamp_text, candidates })
}

#[cfg(test)]
mod tests;
