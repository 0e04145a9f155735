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
    /// NATS.
    Broker,
    /// PostgreSQL, with all its processes.
    Database,
}

/// A point in a program at which it can be told to die (`service::failpoint!`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point {
    /// Whose point it is.
    pub process: Process,
    /// Its name in the program.
    pub name: &'static str,
}

/// A connection between two parts, which leads through a proxy of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Between {
    /// Webhooks.
    StripeAndIngress,
    /// Storing them.
    IngressAndDatabase,
    /// Hints.
    IngressAndBroker,
    /// Claims and finishes of the first worker.
    WorkerAndDatabase,
    /// Hints and facts of the first worker.
    WorkerAndBroker,
    /// The records of both workers, which have FlashERP's address from the same row.
    WorkersAndFlashErp,
    /// As for the first worker: each can be cut off while the other takes over.
    SecondWorkerAndDatabase,
    /// As for the first worker.
    SecondWorkerAndBroker,
    /// The configuration. (To the broker it has nothing to say between changes, so no fault there could be felt.)
    ConfigApiAndDatabase,
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

impl Process {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Ingress, Self::Worker, Self::SecondWorker, Self::ConfigApi, Self::Broker, Self::Database];
}

impl Point {
    /// All of them, as they stand in the programs' source.
    pub const ALL: [Self; 9] = [
        Self { process: Process::Ingress, name: "ingress.before_commit" },
        Self { process: Process::Ingress, name: "ingress.after_commit" },
        Self { process: Process::Worker, name: "inbound.before_commit" },
        Self { process: Process::Worker, name: "inbound.after_commit" },
        Self { process: Process::Worker, name: "outbound.after_claim" },
        Self { process: Process::Worker, name: "outbound.before_send" },
        Self { process: Process::Worker, name: "outbound.after_send" },
        Self { process: Process::Worker, name: "outbound.finish_before_commit" },
        Self { process: Process::Worker, name: "outbound.finish_after_commit" },
    ];
}

impl Between {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::StripeAndIngress,
        Self::IngressAndDatabase,
        Self::IngressAndBroker,
        Self::WorkerAndDatabase,
        Self::WorkerAndBroker,
        Self::WorkersAndFlashErp,
        Self::SecondWorkerAndDatabase,
        Self::SecondWorkerAndBroker,
        Self::ConfigApiAndDatabase,
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
