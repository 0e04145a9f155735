//! What can go wrong, by name, and when it does: a [`Schedule`] is a function of its seed, so a run can be had again.
//!
//! This says what and when; carrying it out is the business of whoever holds the processes and proxies.

mod flasherp;
mod kinds;
mod names;
mod point;
mod schedule;

pub use flasherp::FlashErpFault;
pub use kinds::{Between, LinkFault, Process};
pub use point::Point;
pub use schedule::{Outlasts, Schedule, Step};

/// One thing that goes wrong for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// `SIGKILL`; started again at the end.
    Killed(Process),
    /// `SIGSTOP`; `SIGCONT` at the end.
    Frozen(Process),
    /// Stopped in order; started again at the end.
    Restarted(Process),
    /// Started anew with the order to die at a point, as by `SIGKILL`; started without it at the end.
    Dies(Point),
    /// The broker is killed and all it stored deleted; started again at the end.
    BrokerStorageDeleted,
    /// The network.
    Link(Between, LinkFault),
    /// FlashERP.
    FlashErp(FlashErpFault),
    /// Stripe's API answers 503: what no webhook told of can't be fetched.
    StripeApiUnavailable,
    /// The machine under database, broker and services goes off and on again ([`crate::disk`]).
    PowerCut,
}

impl Fault {
    /// Every fault there is, but for the power cut, which needs a disk of its own, and deaths where only something special leads to.
    pub fn all() -> Vec<Self> {
        let mut faults = Vec::new();
        for process in Process::ALL {
            faults.extend([Self::Killed(process), Self::Frozen(process), Self::Restarted(process)]);
        }
        faults.extend(Point::ON_THE_WAY.map(Self::Dies));
        faults.push(Self::BrokerStorageDeleted);
        for between in Between::ALL {
            faults.extend(LinkFault::ALL.map(|fault| Self::Link(between, fault)));
        }
        faults.extend(FlashErpFault::ALL.map(Self::FlashErp));
        faults.push(Self::StripeApiUnavailable);
        faults
    }

    /// Whether two faults can be on at once: they meddle with different things.
    pub fn goes_with(self, other: Self) -> bool {
        match (self, other) {
            (Self::FlashErp(_), Self::FlashErp(_)) | (Self::PowerCut, _) | (_, Self::PowerCut) => false,
            (Self::StripeApiUnavailable, Self::StripeApiUnavailable) => false,
            (Self::Link(one, _), Self::Link(other, _)) => one != other,
            _ => match (self.process(), other.process()) {
                (Some(one), Some(other)) => one != other,
                _ => true,
            },
        }
    }

    /// Whether FlashERP's webhooks are what it hits: few beside Stripe's.
    pub fn is_of_flasherps_webhooks(self) -> bool {
        match self {
            Self::Link(between, _) => between == Between::FlashErpAndGateway,
            Self::FlashErp(fault) => fault.is_of_webhooks(),
            _ => false,
        }
    }

    /// Whether reconciliations, or whoever asks for them, are what it hits: few beside all else.
    pub fn is_of_reconciliations(self) -> bool {
        match self {
            Self::Link(between, _) => matches!(
                between,
                Between::GatewayAndConfigApi
                    | Between::ReconcilerAndDatabase
                    | Between::ReconcilerAndBroker
                    | Between::ReconcilerAndFlashErp
            ),
            _ => self.process() == Some(Process::Reconciler),
        }
    }

    /// The process that it hits, if it is one.
    pub fn process(self) -> Option<Process> {
        match self {
            Self::Killed(process) | Self::Frozen(process) | Self::Restarted(process) => Some(process),
            Self::Dies(point) => Some(point.process),
            Self::BrokerStorageDeleted => Some(Process::Broker),
            Self::Link(..) | Self::FlashErp(_) | Self::StripeApiUnavailable | Self::PowerCut => None,
        }
    }
}
