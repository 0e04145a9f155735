//! The parts that can be hit, and what can hit them.

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
    /// Webhooks and admins come through it.
    Gateway,
    /// Runs jobs.
    Scheduler,
    /// Holds both sides against each other.
    Reconciler,
    /// NATS.
    Broker,
    /// PostgreSQL, with all its processes.
    Database,
}

/// A connection between two parts, which leads through a proxy of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Between {
    /// Stripe's webhooks.
    StripeAndGateway,
    /// FlashERP's webhooks.
    FlashErpAndGateway,
    /// Webhooks handed on.
    GatewayAndIngress,
    /// An admin's calls handed on.
    GatewayAndConfigApi,
    /// Storing webhooks.
    IngressAndDatabase,
    /// Hints.
    IngressAndBroker,
    /// Claims and finishes of the first worker.
    WorkerAndDatabase,
    /// Hints and facts of the first worker.
    WorkerAndBroker,
    /// The records of both workers, which have FlashERP's address from the same row as everybody.
    WorkersAndFlashErp,
    /// What events leave open, read by both workers.
    WorkersAndStripe,
    /// As for the first worker: each can be cut off while the other takes over.
    SecondWorkerAndDatabase,
    /// As for the first worker.
    SecondWorkerAndBroker,
    /// The configuration. (To the broker it has little to say between changes, so hardly a fault there could be felt.)
    ConfigApiAndDatabase,
    /// The timetable, and what jobs read and write.
    SchedulerAndDatabase,
    /// Hints and facts of the scheduler.
    SchedulerAndBroker,
    /// Health checks, and what changed there.
    SchedulerAndFlashErp,
    /// Events that no webhook has told of.
    SchedulerAndStripe,
    /// Runs and what they have read.
    ReconcilerAndDatabase,
    /// Hints and facts of the reconciler.
    ReconcilerAndBroker,
    /// What is paged, and read again.
    ReconcilerAndFlashErp,
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

impl Process {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Ingress,
        Self::Worker,
        Self::SecondWorker,
        Self::ConfigApi,
        Self::Gateway,
        Self::Scheduler,
        Self::Reconciler,
        Self::Broker,
        Self::Database,
    ];
}

impl Between {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::StripeAndGateway,
        Self::FlashErpAndGateway,
        Self::GatewayAndIngress,
        Self::GatewayAndConfigApi,
        Self::IngressAndDatabase,
        Self::IngressAndBroker,
        Self::WorkerAndDatabase,
        Self::WorkerAndBroker,
        Self::WorkersAndFlashErp,
        Self::WorkersAndStripe,
        Self::SecondWorkerAndDatabase,
        Self::SecondWorkerAndBroker,
        Self::ConfigApiAndDatabase,
        Self::SchedulerAndDatabase,
        Self::SchedulerAndBroker,
        Self::SchedulerAndFlashErp,
        Self::SchedulerAndStripe,
        Self::ReconcilerAndDatabase,
        Self::ReconcilerAndBroker,
        Self::ReconcilerAndFlashErp,
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
