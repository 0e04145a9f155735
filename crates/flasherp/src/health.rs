//! FlashERP's own word on itself, and what it can do.

use serde::Deserialize;

/// What FlashERP says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// How it is.
    pub status: HealthStatus,
    /// Its version, if told.
    pub version: Option<String>,
    /// What it can do.
    pub capabilities: Capabilities,
}

/// How FlashERP is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// Well.
    Ok,
    /// Slow or in part.
    Degraded,
}

/// What FlashERP can do, as far as it says so. Nothing, until it does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// `Idempotency-Key` is honoured.
    pub idempotency_key: bool,
    /// Lists take `updatedSince`.
    pub updated_since: bool,
    /// Lists can be counted.
    pub count: bool,
}

#[derive(Deserialize)]
struct Wire {
    status: HealthStatus,
    version: Option<String>,
    #[serde(default)]
    capabilities: Vec<String>,
}

impl Health {
    pub(crate) fn parse(json: &str) -> Result<Self, serde_json::Error> {
        let wire: Wire = serde_json::from_str(json)?;
        let can = |name: &str| wire.capabilities.iter().any(|capability| capability == name);
        Ok(Self {
            status: wire.status,
            capabilities: Capabilities {
                idempotency_key: can("idempotency-key"),
                updated_since: can("updated-since"),
                count: can("count"),
            },
            version: wire.version,
        })
    }
}
