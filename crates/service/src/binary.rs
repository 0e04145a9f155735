//! The binaries of this system by name: one spelling for settings, logs, metrics, database sessions, broker users and ports.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

/// A binary of this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    Gateway,
    ConfigApi,
    Ingress,
    SyncWorker,
    Scheduler,
    Reconciler,
    Sandbox,
    Erpctl,
    /// The local stack (`./justw up`, `demo`).
    Stack,
}

impl Binary {
    /// The name in logs, `application_name`, the broker's user and the executable's file name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::ConfigApi => "config-api",
            Self::Ingress => "ingress",
            Self::SyncWorker => "sync-worker",
            Self::Scheduler => "scheduler",
            Self::Reconciler => "reconciler",
            Self::Sandbox => "flasherp-sandbox",
            Self::Erpctl => "erpctl",
            Self::Stack => "stack",
        }
    }

    /// Where the binary serves HTTP unless `HTTP_ADDR` says otherwise; `None` for one that serves none.
    #[must_use]
    pub const fn default_http_addr(self) -> Option<SocketAddr> {
        match self {
            Self::Gateway => Some(local(8080)),
            Self::Sandbox => Some(local(8084)),
            Self::ConfigApi => Some(local(8085)),
            Self::Reconciler => Some(local(8086)),
            Self::Ingress => Some(local(8087)),
            Self::SyncWorker | Self::Scheduler | Self::Erpctl | Self::Stack => None,
        }
    }

    /// Where the management port listens unless `MANAGEMENT_ADDR` says otherwise; `None` for the two command lines.
    #[must_use]
    pub const fn default_management_addr(self) -> Option<SocketAddr> {
        match self {
            Self::Ingress => Some(local(8090)),
            Self::SyncWorker => Some(local(8091)),
            Self::ConfigApi => Some(local(8092)),
            Self::Scheduler => Some(local(8093)),
            Self::Reconciler => Some(local(8094)),
            Self::Gateway => Some(local(8095)),
            Self::Sandbox => Some(local(8096)),
            Self::Erpctl | Self::Stack => None,
        }
    }
}

impl fmt::Display for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

const fn local(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}
