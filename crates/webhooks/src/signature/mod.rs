//! Signature schemes of the webhook senders.
//!
//! Both senders sign `<unix seconds>.<raw body>` with HMAC-SHA256 and differ in how they say so; each scheme has a file. Promises of both:
//! the MAC is taken over the bytes as received, compared in constant time with every signature sent and under every active secret; a
//! timestamp that is more than [`TOLERANCE_SECS`] off in either direction is refused; no header, however broken, makes a panic.

pub mod flasherp;
mod key;
pub mod stripe;

pub use key::{Keys, SigningKey};

/// How far a sender's timestamp may be from our clock, in seconds, before or after.
pub const TOLERANCE_SECS: i64 = 300;

/// The longest signature or timestamp header that is looked at, in bytes. Stripe's with two secrets and a test signature is under 300.
pub const MAX_HEADER_BYTES: usize = 4096;

/// The most elements that a signature header may have.
pub const MAX_ELEMENTS: usize = 32;

/// A signature that held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Index, in the order given to [`Keys::new`], of the secret that made the signature; where several did, the first of them. Tells when
    /// a secret was last used.
    pub key: usize,
    /// The sender's timestamp, unix seconds.
    pub timestamp: i64,
}

/// Why a delivery is not believed. Each is answered 401; the text is what the sender is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A header that the scheme needs is not there.
    #[error("The {header} header is missing.")]
    MissingHeader {
        /// Lower-case name of the header.
        header: &'static str,
    },
    /// A header is there and can't be read.
    #[error("The {header} header can't be read: {problem}.")]
    Malformed {
        /// Lower-case name of the header.
        header: &'static str,
        /// What is wrong with it.
        problem: Problem,
    },
    /// The timestamp is too old or too new.
    #[error(
        "The signature's timestamp is {} seconds {}; at most {TOLERANCE_SECS} are accepted. Check the clock and send the event again.",
        off.unsigned_abs(),
        if *off < 0 { "in the past" } else { "in the future" }
    )]
    TimestampOutOfRange {
        /// Sender's time minus ours, in seconds.
        off: i64,
    },
    /// No signature sent was made with an active secret over these bytes.
    #[error(
        "No signature matches this body under an active secret. Check that the secret is the endpoint's and that nothing between changes the body."
    )]
    Mismatch,
}

impl SignatureError {
    /// A short name of the kind, for metrics and logs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::MissingHeader { .. } => "missing_header",
            Self::Malformed { .. } => "malformed",
            Self::TimestampOutOfRange { .. } => "timestamp_out_of_range",
            Self::Mismatch => "mismatch",
        }
    }
}

/// What makes a header unreadable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Longer than [`MAX_HEADER_BYTES`].
    #[error("it is longer than {MAX_HEADER_BYTES} bytes")]
    TooLong,
    /// More than [`MAX_ELEMENTS`] elements.
    #[error("it has more than {MAX_ELEMENTS} elements")]
    TooManyElements,
    /// An element that is not `name=value`.
    #[error("an element is not of the form name=value")]
    NotAPair,
    /// No `t` element.
    #[error("it has no timestamp")]
    NoTimestamp,
    /// More than one `t` element, or the header more than once.
    #[error("it is there more than once")]
    Repeated,
    /// A timestamp of anything but digits, or of too many.
    #[error("the timestamp is not plain digits")]
    TimestampNotDigits,
    /// No element of a scheme that is accepted.
    #[error("it has no signature of a scheme that is accepted")]
    NoSignature,
}

/// Reads a timestamp of plain digits: no sign, no space, no point. Twelve digits reach beyond the year 30000.
fn parse_timestamp(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 12 {
        return None;
    }
    text.iter().try_fold(0_i64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}

/// Refuses a timestamp too far from `now`, both unix seconds.
fn check_age(timestamp: i64, now: i64) -> Result<(), SignatureError> {
    let off = timestamp.saturating_sub(now);
    if off.unsigned_abs() > TOLERANCE_SECS.unsigned_abs() {
        return Err(SignatureError::TimestampOutOfRange { off });
    }
    Ok(())
}

/// A signature as sent: 64 lower-case hexadecimal digits. Anything else can match nothing.
fn parse_digest(text: &[u8]) -> Option<[u8; 32]> {
    if text.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    let mut digest = [0; 32];
    hex::decode_to_slice(text, &mut digest).ok()?;
    Some(digest)
}
