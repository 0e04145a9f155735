//! What can go wrong, by name, and when it does: a [`Schedule`] is a function of its seed, so a run can be had again.
//!
//! This says what and when; carrying it out is the business of whoever holds the processes and proxies.

mod schedule;

use std::fmt;

pub use schedule::{Schedule, Step};

/// A process that can be killed, frozen and started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Process {
    /// Takes webhooks.
    Ingress,
    /// The first of the workers.
    Worker,
    /// The other worker.
    SecondWorker,
    /// Holds the configuration.
    ConfigApi,
    /// NATS.
    Broker,
    /// PostgreSQL, with all its processes.
    Database,
}

/// A connection between two parts, which leads through a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Between {
    /// Webhooks.
    StripeAndIngress,
    /// Storing them.
    IngressAndDatabase,
    /// Hints.
    IngressAndBroker,
    /// Claims and finishes.
    WorkerAndDatabase,
    /// Hints and facts.
    WorkerAndBroker,
    /// The records.
    WorkerAndFlashErp,
}

/// What a connection suffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkFault {
    /// Everything takes longer.
    Delayed,
    /// Everything waits, and passes afterwards.
    Held,
    /// Everything is swallowed.
    Dropped,
    /// What the client says is swallowed.
    DeafServer,
    /// What the server says is swallowed.
    DeafClient,
    /// All connections are reset, at once.
    Reset,
    /// New connections are reset, and all that are there.
    Refused,
    /// Few bytes a second.
    Slow,
    /// Connections are reset after some bytes of the client.
    CutToServer,
    /// Connections are reset after some bytes of the server.
    CutToClient,
}

/// What FlashERP does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlashErpFault {
    /// Some calls are cut, and their writes never take effect.
    CutsBeforeWrite,
    /// Some calls are cut after their writes.
    CutsAfterWrite,
    /// Some calls are cut, and their writes take effect later.
    LateWrites,
    /// Some calls are answered 500 with FlashERP's error.
    ServerErrors,
    /// Some calls take effect and are answered 500 all the same.
    ServerErrorsAfterWrite,
    /// Some calls are answered 502 with HTML.
    HtmlErrors,
    /// Some calls are answered 503 with nothing.
    EmptyErrors,
    /// Some calls are answered 429 with seconds.
    RateLimitInSeconds,
    /// Some calls are answered 429 with a date.
    RateLimitUntilDate,
    /// Some calls are answered 429 with nonsense.
    RateLimitNonsense,
    /// Some answers come in small pieces.
    SlowBodies,
    /// Some answers break off.
    CutBodies,
    /// Some answers are no JSON.
    GarbageBodies,
    /// Some calls take longer than their caller waits.
    TooSlow,
    /// Everything is answered 503 by a proxy.
    Outage,
    /// Every connection is cut.
    Gone,
}

/// One thing that goes wrong for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// `SIGKILL`; started again at the end.
    Killed(Process),
    /// `SIGSTOP`; `SIGCONT` at the end.
    Frozen(Process),
    /// Stopped in order; started again at the end.
    Restarted(Process),
    /// The broker is killed and all it stored deleted; started again at the end.
    BrokerStorageDeleted,
    /// The network.
    Link(Between, LinkFault),
    /// FlashERP.
    FlashErp(FlashErpFault),
}

impl Process {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Ingress, Self::Worker, Self::SecondWorker, Self::ConfigApi, Self::Broker, Self::Database];
}

impl Between {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::StripeAndIngress,
        Self::IngressAndDatabase,
        Self::IngressAndBroker,
        Self::WorkerAndDatabase,
        Self::WorkerAndBroker,
        Self::WorkerAndFlashErp,
    ];
}

impl LinkFault {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Delayed,
        Self::Held,
        Self::Dropped,
        Self::DeafServer,
        Self::DeafClient,
        Self::Reset,
        Self::Refused,
        Self::Slow,
        Self::CutToServer,
        Self::CutToClient,
    ];
}

impl FlashErpFault {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::CutsBeforeWrite,
        Self::CutsAfterWrite,
        Self::LateWrites,
        Self::ServerErrors,
        Self::ServerErrorsAfterWrite,
        Self::HtmlErrors,
        Self::EmptyErrors,
        Self::RateLimitInSeconds,
        Self::RateLimitUntilDate,
        Self::RateLimitNonsense,
        Self::SlowBodies,
        Self::CutBodies,
        Self::GarbageBodies,
        Self::TooSlow,
        Self::Outage,
        Self::Gone,
    ];
}

impl Fault {
    /// Every fault there is.
    pub fn all() -> Vec<Self> {
        let mut faults = Vec::new();
        for process in Process::ALL {
            faults.extend([Self::Killed(process), Self::Frozen(process), Self::Restarted(process)]);
        }
        faults.push(Self::BrokerStorageDeleted);
        for between in Between::ALL {
            faults.extend(LinkFault::ALL.map(|fault| Self::Link(between, fault)));
        }
        faults.extend(FlashErpFault::ALL.map(Self::FlashErp));
        faults
    }

    /// Whether two faults can be on at once: they meddle with different things.
    pub fn goes_with(self, other: Self) -> bool {
        match (self, other) {
            (Self::FlashErp(_), Self::FlashErp(_)) => false,
            (Self::Link(one, _), Self::Link(other, _)) => one != other,
            _ => match (self.process(), other.process()) {
                (Some(one), Some(other)) => one != other,
                _ => true,
            },
        }
    }

    fn process(self) -> Option<Process> {
        match self {
            Self::Killed(process) | Self::Frozen(process) | Self::Restarted(process) => Some(process),
            Self::BrokerStorageDeleted => Some(Process::Broker),
            Self::Link(..) | Self::FlashErp(_) => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed(process) => write!(f, "{process} killed"),
            Self::Frozen(process) => write!(f, "{process} frozen"),
            Self::Restarted(process) => write!(f, "{process} restarted"),
            Self::BrokerStorageDeleted => f.write_str("broker's storage deleted"),
            Self::Link(between, fault) => write!(f, "{between}: {fault}"),
            Self::FlashErp(fault) => write!(f, "FlashERP: {fault}"),
        }
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ingress => "ingress",
            Self::Worker => "worker",
            Self::SecondWorker => "second worker",
            Self::ConfigApi => "config-api",
            Self::Broker => "broker",
            Self::Database => "database",
        })
    }
}

impl fmt::Display for Between {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StripeAndIngress => "Stripe-ingress",
            Self::IngressAndDatabase => "ingress-database",
            Self::IngressAndBroker => "ingress-broker",
            Self::WorkerAndDatabase => "worker-database",
            Self::WorkerAndBroker => "worker-broker",
            Self::WorkerAndFlashErp => "worker-FlashERP",
        })
    }
}

impl fmt::Display for LinkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Delayed => "delayed",
            Self::Held => "held",
            Self::Dropped => "dropped",
            Self::DeafServer => "server deaf",
            Self::DeafClient => "client deaf",
            Self::Reset => "reset",
            Self::Refused => "refused",
            Self::Slow => "slow",
            Self::CutToServer => "cut on the way to the server",
            Self::CutToClient => "cut on the way to the client",
        })
    }
}

impl fmt::Display for FlashErpFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CutsBeforeWrite => "cut before the write",
            Self::CutsAfterWrite => "cut after the write",
            Self::LateWrites => "late writes",
            Self::ServerErrors => "500 in JSON",
            Self::ServerErrorsAfterWrite => "500 after the write",
            Self::HtmlErrors => "502 in HTML",
            Self::EmptyErrors => "503 without a body",
            Self::RateLimitInSeconds => "429 for seconds",
            Self::RateLimitUntilDate => "429 until a date",
            Self::RateLimitNonsense => "429 until nonsense",
            Self::SlowBodies => "slow bodies",
            Self::CutBodies => "bodies broken off",
            Self::GarbageBodies => "bodies without sense",
            Self::TooSlow => "slower than its caller waits",
            Self::Outage => "outage",
            Self::Gone => "gone",
        })
    }
}
