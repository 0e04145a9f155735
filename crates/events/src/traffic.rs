//! Who tells what to whom: the one table from which asyncapi.yaml, the streams, the durable consumers and every NATS
//! user's permissions are made. A service that wants to say or hear something new gets a row here first.

use crate::*;

/// Who takes part. The names are also those of the NATS users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Party {
    /// The public origin.
    Gateway,
    /// The admin API.
    ConfigApi,
    /// The receiver of webhooks.
    Ingress,
    /// The worker that writes to FlashERP and applies webhooks.
    SyncWorker,
    /// The timetable.
    Scheduler,
    /// The comparer.
    Reconciler,
    /// The operator's command line.
    Erpctl,
}

impl Party {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Gateway,
        Self::ConfigApi,
        Self::Ingress,
        Self::SyncWorker,
        Self::Scheduler,
        Self::Reconciler,
        Self::Erpctl,
    ];

    /// The name of the binary and of its NATS user.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::ConfigApi => "config-api",
            Self::Ingress => "ingress",
            Self::SyncWorker => "sync-worker",
            Self::Scheduler => "scheduler",
            Self::Reconciler => "reconciler",
            Self::Erpctl => "erpctl",
        }
    }

    /// The `source` of its events.
    pub fn uri(self) -> String {
        format!("/erp/{}", self.name())
    }
}

/// A JetStream stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// What is said of syncs.
    Sync,
    /// What is said of webhooks.
    Webhook,
    /// The rest.
    Control,
}

impl Stream {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sync, Self::Webhook, Self::Control];

    /// Its name, without prefix.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sync => "SYNC",
            Self::Webhook => "WEBHOOK",
            Self::Control => "CONTROL",
        }
    }

    /// The subjects it keeps, without prefix.
    pub const fn subjects(self) -> &'static [&'static str] {
        match self {
            Self::Sync => &["sync.>"],
            Self::Webhook => &["webhook.>"],
            Self::Control => &["alert.>", "audit.>", "circuit.>", "config.>", "health.>", "job.>", "reconciliation.>"],
        }
    }

    /// The stream that keeps a subject (without prefix); `None` for a subject that no stream keeps.
    pub fn of_subject(subject: &str) -> Option<Self> {
        let first = subject.split('.').next()?;
        Self::ALL.into_iter().find(|stream| stream.subjects().iter().any(|kept| kept.strip_suffix(".>") == Some(first)))
    }
}

/// A durable consumer, shared by the replicas of one worker role: each message goes to one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Durable {
    /// Claims the syncs that were asked for.
    SyncWorkerOutbound,
    /// Claims the webhook events that were stored.
    SyncWorkerInbound,
    /// Takes up reconciliations.
    Reconciler,
    /// Raises and resolves alerts.
    Scheduler,
}

impl Durable {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::SyncWorkerOutbound, Self::SyncWorkerInbound, Self::Reconciler, Self::Scheduler];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SyncWorkerOutbound => "sync-worker-outbound",
            Self::SyncWorkerInbound => "sync-worker-inbound",
            Self::Reconciler => "reconciler",
            Self::Scheduler => "scheduler",
        }
    }

    /// Whose it is.
    pub const fn party(self) -> Party {
        match self {
            Self::SyncWorkerOutbound | Self::SyncWorkerInbound => Party::SyncWorker,
            Self::Reconciler => Party::Reconciler,
            Self::Scheduler => Party::Scheduler,
        }
    }

    /// The stream it reads.
    pub const fn stream(self) -> Stream {
        match self {
            Self::SyncWorkerOutbound => Stream::Sync,
            Self::SyncWorkerInbound => Stream::Webhook,
            Self::Reconciler | Self::Scheduler => Stream::Control,
        }
    }

    /// Whether it reads hints, which lose their worth when the row they name has been found by a timer.
    pub fn reads_hints(self) -> bool {
        TRAFFIC
            .iter()
            .filter(|flow| flow.way == Way::ConsumesOnce(self))
            .all(|flow| flow.event.nature() == Nature::Hint)
    }

    /// The subjects it reads, without prefix.
    pub fn subjects(self) -> Vec<&'static str> {
        TRAFFIC.iter().filter(|flow| flow.way == Way::ConsumesOnce(self)).map(|flow| flow.event.subjects()).collect()
    }
}

/// What a party does with an event type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Says it.
    Publishes,
    /// Hears it through a durable: one replica gets each.
    ConsumesOnce(Durable),
    /// Hears it through an ephemeral consumer of its own: every replica gets each.
    ConsumesAll,
}

/// An event type in the table: a place in [`CATALOG`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRef(&'static str);

impl EventRef {
    const fn to<T: EventType>() -> Self {
        Self(T::TYPE)
    }

    /// What is known of the type.
    pub fn info(self) -> &'static EventInfo {
        CATALOG.iter().find(|info| info.kind == self.0).expect("references are made from types in the catalog")
    }

    /// The subjects it is published on, without prefix.
    pub fn subjects(self) -> &'static str {
        self.info().subjects
    }

    /// Hint or fact.
    pub fn nature(self) -> Nature {
        self.info().nature
    }
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    /// Who.
    pub party: Party,
    /// Does what.
    pub way: Way,
    /// With which event type.
    pub event: EventRef,
}

const fn says<T: EventType>(party: Party) -> Flow {
    Flow { party, way: Way::Publishes, event: EventRef::to::<T>() }
}

const fn hears<T: EventType>(party: Party) -> Flow {
    Flow { party, way: Way::ConsumesAll, event: EventRef::to::<T>() }
}

const fn works_on<T: EventType>(durable: Durable) -> Flow {
    Flow { party: durable.party(), way: Way::ConsumesOnce(durable), event: EventRef::to::<T>() }
}

/// The table.
pub const TRAFFIC: &[Flow] = &[
    hears::<ConfigChanged>(Party::Gateway),
    // config-api: asks others for work; hears all facts, for waiting callers and live events.
    says::<ConfigChanged>(Party::ConfigApi),
    says::<SyncRequested>(Party::ConfigApi),
    says::<ReconciliationRequested>(Party::ConfigApi),
    says::<WebhookReceived>(Party::ConfigApi),
    hears::<SyncCompleted>(Party::ConfigApi),
    hears::<SyncFailed>(Party::ConfigApi),
    hears::<SyncDuplicateFound>(Party::ConfigApi),
    hears::<WebhookApplied>(Party::ConfigApi),
    hears::<ReconciliationCompleted>(Party::ConfigApi),
    hears::<ConfigChanged>(Party::ConfigApi),
    hears::<CircuitChanged>(Party::ConfigApi),
    hears::<HealthChecked>(Party::ConfigApi),
    hears::<AlertRaised>(Party::ConfigApi),
    hears::<JobFinished>(Party::ConfigApi),
    hears::<AuditSealed>(Party::ConfigApi),
    // ingress
    says::<WebhookReceived>(Party::Ingress),
    hears::<ConfigChanged>(Party::Ingress),
    // sync-worker: inbound asks outbound, right after its commit.
    works_on::<SyncRequested>(Durable::SyncWorkerOutbound),
    works_on::<WebhookReceived>(Durable::SyncWorkerInbound),
    says::<SyncRequested>(Party::SyncWorker),
    says::<SyncCompleted>(Party::SyncWorker),
    says::<SyncFailed>(Party::SyncWorker),
    says::<SyncDuplicateFound>(Party::SyncWorker),
    says::<WebhookApplied>(Party::SyncWorker),
    says::<CircuitChanged>(Party::SyncWorker),
    hears::<ConfigChanged>(Party::SyncWorker),
    // scheduler
    works_on::<CircuitChanged>(Durable::Scheduler),
    works_on::<ReconciliationCompleted>(Durable::Scheduler),
    says::<SyncRequested>(Party::Scheduler),
    says::<ReconciliationRequested>(Party::Scheduler),
    says::<WebhookReceived>(Party::Scheduler),
    says::<HealthChecked>(Party::Scheduler),
    says::<AlertRaised>(Party::Scheduler),
    says::<JobFinished>(Party::Scheduler),
    says::<AuditSealed>(Party::Scheduler),
    hears::<ConfigChanged>(Party::Scheduler),
    // reconciler
    works_on::<ReconciliationRequested>(Durable::Reconciler),
    says::<ReconciliationCompleted>(Party::Reconciler),
    says::<SyncRequested>(Party::Reconciler),
    hears::<ConfigChanged>(Party::Reconciler),
];
