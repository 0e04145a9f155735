//! FlashERP's scheme, as its API description (`webhooks`) has it.
//!
//! Two headers: `x-flasherp-timestamp`, unix seconds, and `x-flasherp-signature`, the lower-case hex HMAC-SHA256 of `<timestamp>.<raw body>`;
//! during a rotation both signatures, comma-separated.

use super::key::Candidates;
use super::{
    Keys, MAX_ELEMENTS, MAX_HEADER_BYTES, Problem, SignatureError, SigningKey, Verified, check_age, parse_digest,
    parse_timestamp,
};

/// Name of the header with the signatures, lower-case.
pub const SIGNATURE_HEADER: &str = "x-flasherp-signature";

/// Name of the header with the timestamp, lower-case.
pub const TIMESTAMP_HEADER: &str = "x-flasherp-timestamp";

/// Checks a delivery: the two headers' values if they were there, the body as received, our clock in unix seconds.
///
/// # Errors
/// [`SignatureError`], each kind of it; the headers are judged before the timestamp's age and that before the signature.
pub fn verify(
    keys: &Keys,
    signature: Option<&[u8]>,
    timestamp: Option<&[u8]>,
    body: &[u8],
    now: i64,
) -> Result<Verified, SignatureError> {
    let signature = signature.ok_or(SignatureError::MissingHeader { header: SIGNATURE_HEADER })?;
    let timestamp_text = timestamp.ok_or(SignatureError::MissingHeader { header: TIMESTAMP_HEADER })?;
    let timestamp = parse_timestamp(timestamp_text)
        .ok_or(SignatureError::Malformed { header: TIMESTAMP_HEADER, problem: Problem::TimestampNotDigits })?;
    let candidates =
        parse(signature).map_err(|problem| SignatureError::Malformed { header: SIGNATURE_HEADER, problem })?;
    check_age(timestamp, now)?;
    let key = keys.find(timestamp_text, body, &candidates).ok_or(SignatureError::Mismatch)?;
    Ok(Verified { key, timestamp })
}

/// The value of [`SIGNATURE_HEADER`] for a body signed at `timestamp` with each of the keys; [`TIMESTAMP_HEADER`] is the timestamp's digits.
#[must_use]
pub fn sign(keys: &[SigningKey], timestamp: i64, body: &[u8]) -> String {
    let timestamp = timestamp.to_string();
    let digests: Vec<String> = keys.iter().map(|key| hex::encode(key.digest(timestamp.as_bytes(), body))).collect();
    digests.join(",")
}

fn parse(header: &[u8]) -> Result<Candidates, Problem> {
    if header.len() > MAX_HEADER_BYTES {
        return Err(Problem::TooLong);
    }
    let mut candidates = Candidates::new();
    let mut has_signature = false;
    for (index, element) in header.split(|byte| *byte == b',').enumerate() {
        if index == MAX_ELEMENTS {
            return Err(Problem::TooManyElements);
        }
        let element = element.trim_ascii();
        has_signature |= !element.is_empty();
        if let Some(digest) = parse_digest(element) {
            candidates.push(digest);
        }
    }
    if !has_signature {
        return Err(Problem::NoSignature);
    }
    Ok(candidates)
}

#[cfg(test)]
mod tests;
