//! What faults are called, in histories, tables and `./justw soak --fault`.

use std::fmt;

use super::{Between, Fault, LinkFault, Process};

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed(process) => write!(f, "{process} killed"),
            Self::Frozen(process) => write!(f, "{process} frozen"),
            Self::Restarted(process) => write!(f, "{process} restarted"),
            Self::Dies(point) => write!(f, "{} dies at {}", point.process, point.name),
            Self::BrokerStorageDeleted => f.write_str("broker's storage deleted"),
            Self::PowerCut => f.write_str("power cut"),
            Self::Link(between, fault) => write!(f, "{between}: {fault}"),
            Self::FlashErp(fault) => write!(f, "FlashERP: {fault}"),
            Self::StripeApiUnavailable => f.write_str("Stripe: API unavailable"),
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
            Self::Gateway => "gateway",
            Self::Scheduler => "scheduler",
            Self::Reconciler => "reconciler",
            Self::Broker => "broker",
            Self::Database => "database",
        })
    }
}

impl fmt::Display for Between {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StripeAndGateway => "Stripe-gateway",
            Self::FlashErpAndGateway => "FlashERP-gateway",
            Self::GatewayAndIngress => "gateway-ingress",
            Self::GatewayAndConfigApi => "gateway-config-api",
            Self::IngressAndDatabase => "ingress-database",
            Self::IngressAndBroker => "ingress-broker",
            Self::WorkerAndDatabase => "worker-database",
            Self::WorkerAndBroker => "worker-broker",
            Self::WorkersAndFlashErp => "workers-FlashERP",
            Self::WorkersAndStripe => "workers-Stripe",
            Self::SecondWorkerAndDatabase => "second worker-database",
            Self::SecondWorkerAndBroker => "second worker-broker",
            Self::ConfigApiAndDatabase => "config-api-database",
            Self::SchedulerAndDatabase => "scheduler-database",
            Self::SchedulerAndBroker => "scheduler-broker",
            Self::SchedulerAndFlashErp => "scheduler-FlashERP",
            Self::SchedulerAndStripe => "scheduler-Stripe",
            Self::ReconcilerAndDatabase => "reconciler-database",
            Self::ReconcilerAndBroker => "reconciler-broker",
            Self::ReconcilerAndFlashErp => "reconciler-FlashERP",
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
