//! The one configuration row (design section 11), failures that were acknowledged, and the outbox; owned by config-api.

pub mod configuration;
pub mod error_acknowledgement;
pub mod kinds;
pub mod outbox;

/// The columns of the configuration row that hold ciphertexts.
pub const SECRET_COLUMNS: [&str; 4] =
    ["api_key_enc", "api_secret_enc", "webhook_secret_enc", "previous_webhook_secret_enc"];
