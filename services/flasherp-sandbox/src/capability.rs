//! What `GET /health` says this FlashERP can do. Switching one off takes the behaviour away too: without `idempotency-key` the header is
//! ignored, without `updated-since` the parameter is refused. To `count` the contract ties no behaviour; it is only listed.

use serde::{Deserialize, Serialize};

/// A capability of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// `Idempotency-Key` is honoured.
    IdempotencyKey,
    /// Lists take `updatedSince`.
    UpdatedSince,
    /// Listed only.
    Count,
}

impl Capability {
    const ALL: [Capability; 3] = [Capability::IdempotencyKey, Capability::UpdatedSince, Capability::Count];

    /// Its name in the contract.
    pub const fn name(self) -> &'static str {
        match self {
            Capability::IdempotencyKey => "idempotency-key",
            Capability::UpdatedSince => "updated-since",
            Capability::Count => "count",
        }
    }

    /// The capability of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|capability| capability.name() == name)
    }

    const fn bit(self) -> u8 {
        match self {
            Capability::IdempotencyKey => 1,
            Capability::UpdatedSince => 2,
            Capability::Count => 4,
        }
    }
}

/// A set of capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities(u8);

impl Capabilities {
    /// Whether `capability` is among them.
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & capability.bit() != 0
    }

    /// They, in the contract's order.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |capability| self.has(*capability))
    }

    /// As a number, to be kept in an atomic.
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        Self(capabilities.into_iter().fold(0, |bits, capability| bits | capability.bit()))
    }
}
