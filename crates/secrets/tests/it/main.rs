//! What the keyring and the redaction promise.

mod keyring;
mod redact;
