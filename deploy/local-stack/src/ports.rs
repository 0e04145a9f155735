//! Ports: free ones for tests, fixed ones (base and offset) for the stack.
//!
//! Free ports are taken below the range from which the kernel gives ports to outgoing connections: a server that is
//! killed and started again on its port must not find it held by somebody's client.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use rand::Rng as _;

use crate::{Result, StackError};

/// Below the kernel's usual 32768, above what well-known servers use.
const FREE_RANGE: std::ops::Range<u16> = 15_000..32_000;
const TRIES: usize = 200;

/// An address on this machine.
pub fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Could a server listen there now?
pub fn is_free(port: u16) -> bool {
    TcpListener::bind(local(port)).is_ok()
}

/// A port that is free now. Whoever starts a server on it must be ready for another one to have been faster.
///
/// # Errors
/// [`StackError::NoFreePort`] when none was found.
pub fn free(what: &str) -> Result<u16> {
    let mut random = rand::rng();
    (0..TRIES)
        .map(|_| random.random_range(FREE_RANGE))
        .find(|port| is_free(*port))
        .ok_or_else(|| StackError::NoFreePort { what: what.to_owned() })
}

/// A server of the stack that listens on a fixed port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
    /// The public origin.
    Gateway,
    /// PostgreSQL.
    Postgres,
    /// The broker.
    Nats,
    /// The broker's monitoring page.
    NatsMonitor,
    /// FlashERP's and Stripe's stand-in.
    Sandbox,
    /// The admin API.
    ConfigApi,
    /// Webhooks, behind the gateway.
    Ingress,
    /// The management port of `ingress`.
    IngressManagement,
    /// The management port of `sync-worker`.
    SyncWorkerManagement,
    /// The management port of `config-api`.
    ConfigApiManagement,
    /// The management port of `scheduler`.
    SchedulerManagement,
    /// The management port of `reconciler`.
    ReconcilerManagement,
    /// The management port of `gateway`.
    GatewayManagement,
    /// The management port of the sandbox.
    SandboxManagement,
}

impl Seat {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Gateway,
        Self::Postgres,
        Self::Nats,
        Self::NatsMonitor,
        Self::Sandbox,
        Self::ConfigApi,
        Self::Ingress,
        Self::IngressManagement,
        Self::SyncWorkerManagement,
        Self::ConfigApiManagement,
        Self::SchedulerManagement,
        Self::ReconcilerManagement,
        Self::GatewayManagement,
        Self::SandboxManagement,
    ];

    /// Its distance from `ERP_PORT_BASE`.
    pub fn offset(self) -> u16 {
        match self {
            Self::Gateway => 0,
            Self::Postgres => 1,
            Self::Nats => 2,
            Self::NatsMonitor => 3,
            Self::Sandbox => 4,
            Self::ConfigApi => 5,
            Self::Ingress => 7,
            Self::IngressManagement => 10,
            Self::SyncWorkerManagement => 11,
            Self::ConfigApiManagement => 12,
            Self::SchedulerManagement => 13,
            Self::ReconcilerManagement => 14,
            Self::GatewayManagement => 15,
            Self::SandboxManagement => 16,
        }
    }

    /// The environment variable that moves it alone.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Gateway => "ERP_PORT_GATEWAY",
            Self::Postgres => "ERP_PORT_POSTGRES",
            Self::Nats => "ERP_PORT_NATS",
            Self::NatsMonitor => "ERP_PORT_NATS_MONITOR",
            Self::Sandbox => "ERP_PORT_SANDBOX",
            Self::ConfigApi => "ERP_PORT_CONFIG_API",
            Self::Ingress => "ERP_PORT_INGRESS",
            Self::IngressManagement => "ERP_PORT_INGRESS_MANAGEMENT",
            Self::SyncWorkerManagement => "ERP_PORT_SYNC_WORKER_MANAGEMENT",
            Self::ConfigApiManagement => "ERP_PORT_CONFIG_API_MANAGEMENT",
            Self::SchedulerManagement => "ERP_PORT_SCHEDULER_MANAGEMENT",
            Self::ReconcilerManagement => "ERP_PORT_RECONCILER_MANAGEMENT",
            Self::GatewayManagement => "ERP_PORT_GATEWAY_MANAGEMENT",
            Self::SandboxManagement => "ERP_PORT_SANDBOX_MANAGEMENT",
        }
    }

    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Postgres => "postgres",
            Self::Nats => "nats",
            Self::NatsMonitor => "the monitoring page of nats",
            Self::Sandbox => "flasherp-sandbox",
            Self::ConfigApi => "config-api",
            Self::Ingress => "ingress",
            Self::IngressManagement => "the management port of ingress",
            Self::SyncWorkerManagement => "the management port of sync-worker",
            Self::ConfigApiManagement => "the management port of config-api",
            Self::SchedulerManagement => "the management port of scheduler",
            Self::ReconcilerManagement => "the management port of reconciler",
            Self::GatewayManagement => "the management port of gateway",
            Self::SandboxManagement => "the management port of flasherp-sandbox",
        }
    }
}

/// The stack's ports, from the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortPlan {
    ports: [u16; Seat::ALL.len()],
}

impl PortPlan {
    /// The port that stands first when `ERP_PORT_BASE` is not set.
    pub const DEFAULT_BASE: u16 = 8080;

    /// Reads `ERP_PORT_BASE` and the variable of each seat through `setting`.
    ///
    /// # Errors
    /// [`StackError::Setting`] for what is no port.
    pub fn read(setting: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let port = |variable: &str| -> Result<Option<u16>> {
            let Some(value) = setting(variable).filter(|value| !value.is_empty()) else { return Ok(None) };
            match value.parse::<u16>() {
                Ok(port) if port > 0 => Ok(Some(port)),
                _ => Err(StackError::Setting {
                    variable: variable.to_owned(),
                    value,
                    reason: "must be a port, 1 to 65535".to_owned(),
                }),
            }
        };
        let base = port("ERP_PORT_BASE")?.unwrap_or(Self::DEFAULT_BASE);
        let mut ports = [0; Seat::ALL.len()];
        for (slot, seat) in ports.iter_mut().zip(Seat::ALL) {
            let own = port(seat.variable())?;
            *slot = own.or_else(|| base.checked_add(seat.offset())).ok_or_else(|| StackError::Setting {
                variable: "ERP_PORT_BASE".to_owned(),
                value: base.to_string(),
                reason: "leaves no room for the 20 ports above it".to_owned(),
            })?;
        }
        Ok(Self { ports })
    }

    /// The port of a seat.
    pub fn port(&self, seat: Seat) -> u16 {
        Seat::ALL.iter().zip(self.ports).find(|(at, _)| **at == seat).map_or(0, |(_, port)| port)
    }

    /// The address of a seat on this machine.
    pub fn address(&self, seat: Seat) -> SocketAddr {
        local(self.port(seat))
    }

    /// Refuses, naming the port and what to set, when somebody else listens on one of `seats`.
    ///
    /// # Errors
    /// [`StackError::PortInUse`].
    pub fn check_free(&self, seats: &[Seat]) -> Result<()> {
        match seats.iter().find(|seat| !is_free(self.port(**seat))) {
            None => Ok(()),
            Some(seat) => Err(StackError::PortInUse {
                port: self.port(*seat),
                what: seat.name().to_owned(),
                variable: seat.variable().to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(settings: &[(&str, &str)]) -> Result<PortPlan> {
        PortPlan::read(|name| settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn ports_stand_above_the_base_and_one_can_be_moved_alone() {
        let plan = plan(&[("ERP_PORT_BASE", "9000"), ("ERP_PORT_NATS", "4222")]).expect("valid");
        assert_eq!(plan.port(Seat::Gateway), 9000);
        assert_eq!(plan.port(Seat::Postgres), 9001);
        assert_eq!(plan.port(Seat::Nats), 4222);
        assert_eq!(plan.port(Seat::SandboxManagement), 9016);
    }

    #[test]
    fn without_settings_the_gateway_stands_on_8080() {
        assert_eq!(plan(&[]).expect("valid").port(Seat::Gateway), 8080);
    }

    #[test]
    fn what_is_no_port_is_refused_by_name() {
        let text = plan(&[("ERP_PORT_BASE", "many")]).expect_err("no port").to_string();
        assert!(text.starts_with("ERP_PORT_BASE=many"), "{text}");
        assert!(plan(&[("ERP_PORT_BASE", "65530")]).is_err(), "no room above");
    }

    #[test]
    fn a_port_in_use_is_named_with_what_to_set() {
        let holder = TcpListener::bind(local(0)).expect("a free port");
        let port = holder.local_addr().expect("bound").port().to_string();
        let plan = plan(&[("ERP_PORT_POSTGRES", &port)]).expect("valid");
        let text = plan.check_free(&[Seat::Postgres]).expect_err("in use").to_string();
        for word in [port.as_str(), "postgres", "ERP_PORT_BASE", "ERP_DATA_DIR", "ERP_PORT_POSTGRES"] {
            assert!(text.contains(word), "{word} is missing in: {text}");
        }
    }
}
