//! Secrets at rest and in sight: encrypted in the database, masked on the screen, left out of the audit log.
//!
//! * [`Keyring`] encrypts what the configuration row holds (AES-256-GCM), bound to the place where it lies.
//! * [`mask`] is what a person may see of a secret.
//! * [`redact`] takes secrets and personal fields out of payloads that are kept.
//!
//! Pure functions but for the nonces, which come from the operating system.

mod keyring;
mod mask;
mod place;
pub mod redact;
mod sealed;

pub use keyring::{DecryptError, Keyring, KeyringError, generate_key, sealed_with};
pub use mask::{HIDDEN, mask};
pub use place::Place;
