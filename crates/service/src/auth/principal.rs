//! A caller who showed a token that holds.

use serde::Serialize;
use time::OffsetDateTime;

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Everything.
    Admin,
}

impl Role {
    /// As tokens write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Admin => "admin",
        }
    }

    /// From a token; anything else is none of our roles.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Viewer, Self::Admin].into_iter().find(|role| role.as_str() == text)
    }
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The token's `sub`: who it is, as audit rows name it. 1 to 255 characters, none of them a control character.
    pub subject: String,
    /// What they may do.
    pub role: Role,
    /// The token's `exp`: what goes on for long, such as a stream of events, ends then.
    pub expires_at: OffsetDateTime,
}
