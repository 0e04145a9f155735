//! Carries out each fault, takes it back, and measures whether it was felt.

use std::time::Duration;

use rustix::process::Signal;
use testkit::ProcessId;
use testkit::faults::{Between, Fault, FlashErpFault, LinkFault, Process};
use testkit::proxy::Link;
use testkit::sandbox::{Fault as SandboxFault, FaultAction, FaultBody, Outage, RetryAfter};

use super::matrix::Measure;
use super::stage::Stage;

/// The share of calls that FlashERP's faults hit.
const RATE: f64 = 0.3;

impl Stage {
    /// It begins.
    pub(super) async fn begin(&mut self, fault: Fault) {
        match fault {
            Fault::Killed(process) => self.kill(process).await,
            Fault::Frozen(process) => self.signal(process, Signal::STOP),
            Fault::Restarted(process) => self.stop(process).await,
            Fault::BrokerStorageDeleted => {
                self.kill(Process::Broker).await;
                self.broker.nats.delete_storage().expect("a broker that is away can be robbed");
            }
            Fault::Link(between, fault) => self.disturb(between, fault),
            Fault::FlashErp(fault) => self.misbehave(fault).await,
        }
    }

    /// It is over.
    pub(super) async fn end(&mut self, fault: Fault) {
        match fault {
            Fault::Killed(process) | Fault::Restarted(process) => self.start_again(process).await,
            Fault::Frozen(process) => self.signal(process, Signal::CONT),
            Fault::BrokerStorageDeleted => self.start_again(Process::Broker).await,
            Fault::Link(between, _) => self.proxy(between).heal(),
            Fault::FlashErp(_) => {
                self.sandbox.clear_faults().await;
                self.sandbox.set_outage(Outage::Off).await;
            }
        }
    }

    /// What of a fault can be counted so far.
    pub(super) async fn measure(&self, fault: Fault) -> Measure {
        let felt = match fault {
            Fault::Killed(_) | Fault::Frozen(_) | Fault::Restarted(_) | Fault::BrokerStorageDeleted => None,
            Fault::Link(between, fault) => {
                let counts = self.proxy(between).counts();
                Some(match fault {
                    LinkFault::Delayed | LinkFault::Held | LinkFault::Slow => {
                        (counts.to_server + counts.to_client, "bytes passed")
                    }
                    LinkFault::Dropped | LinkFault::DeafServer | LinkFault::DeafClient => (counts.lost, "bytes lost"),
                    LinkFault::Reset | LinkFault::Refused | LinkFault::CutToServer | LinkFault::CutToClient => {
                        (counts.reset, "connections reset")
                    }
                })
            }
            Fault::FlashErp(fault) => {
                let counters = self.sandbox.counters().await;
                Some(match fault {
                    FlashErpFault::Outage => {
                        (counters.answers.get(&503).copied().unwrap_or_default(), "calls answered 503")
                    }
                    FlashErpFault::Gone => (counters.cuts, "calls cut"),
                    _ => (counters.faults.values().sum(), "calls hit"),
                })
            }
        };
        Measure { attempts: self.history.attempts(), accepted: self.history.accepted(), felt }
    }

    async fn kill(&mut self, process: Process) {
        let killed = match process {
            Process::Database => self.database.postgres.kill().await,
            Process::Broker => self.broker.nats.kill().await,
            _ => self.service(process).kill().await,
        };
        killed.unwrap_or_else(|error| panic!("{process} can't be killed: {error}"));
    }

    async fn stop(&mut self, process: Process) {
        let stopped = match process {
            Process::Database => self.database.postgres.stop().await,
            Process::Broker => self.broker.nats.stop().await,
            _ => self.service(process).stop().await.map(drop),
        };
        stopped.unwrap_or_else(|error| panic!("{process} can't be stopped: {error}"));
    }

    async fn start_again(&mut self, process: Process) {
        let started = match process {
            Process::Database => self.database.postgres.restart().await,
            Process::Broker => self.broker.nats.restart().await,
            _ => self.service(process).restart().await,
        };
        started.unwrap_or_else(|error| panic!("{process} does not start again: {error}"));
    }

    fn signal(&self, process: Process, signal: Signal) {
        let processes: Vec<ProcessId> = match process {
            Process::Database => self.database.postgres.process().into_iter().flat_map(family).collect(),
            Process::Broker => self.broker.nats.process().into_iter().collect(),
            _ => self.services.get(&process).and_then(testkit::Service::process).into_iter().collect(),
        };
        assert!(!processes.is_empty(), "{process} does not run");
        for process in processes {
            process.signal(signal);
        }
    }

    fn service(&mut self, process: Process) -> &mut testkit::Service {
        self.services.get_mut(&process).unwrap_or_else(|| panic!("{process} is no service"))
    }

    fn proxy(&self, between: Between) -> &testkit::proxy::Proxy {
        self.proxies.get(&between).unwrap_or_else(|| panic!("there is no proxy for {between}"))
    }

    fn disturb(&self, between: Between, fault: LinkFault) {
        let proxy = self.proxy(between);
        match fault {
            LinkFault::Delayed => proxy.set(Link::delayed(Duration::from_millis(200))),
            LinkFault::Held => proxy.set(Link::held()),
            LinkFault::Dropped => proxy.set(Link::dropped()),
            LinkFault::DeafServer => proxy.set(Link::deaf_server()),
            LinkFault::DeafClient => proxy.set(Link::deaf_client()),
            LinkFault::Reset => proxy.reset(),
            LinkFault::Refused => {
                proxy.set(Link::refusing());
                proxy.reset();
            }
            LinkFault::Slow => proxy.set(Link::slow(20_000)),
            LinkFault::CutToServer => proxy.set(Link::cut_after_to_server(3_000)),
            LinkFault::CutToClient => proxy.set(Link::cut_after_to_client(3_000)),
        }
    }

    async fn misbehave(&self, fault: FlashErpFault) {
        let status =
            |status, body, retry_after, after_write| FaultAction::Status { status, body, retry_after, after_write };
        let action = match fault {
            FlashErpFault::CutsBeforeWrite => FaultAction::CutBeforeWrite,
            FlashErpFault::CutsAfterWrite => FaultAction::CutAfterWrite,
            // Within the settle time, as FlashERP promises.
            FlashErpFault::LateWrites => FaultAction::LateWrite { delay_ms: 1_500 },
            FlashErpFault::ServerErrors => status(500, FaultBody::Json, None, false),
            FlashErpFault::ServerErrorsAfterWrite => status(500, FaultBody::Json, None, true),
            FlashErpFault::HtmlErrors => status(502, FaultBody::Html, None, false),
            FlashErpFault::EmptyErrors => status(503, FaultBody::Empty, None, false),
            FlashErpFault::RateLimitInSeconds => status(429, FaultBody::Json, Some(RetryAfter::Seconds(1)), false),
            FlashErpFault::RateLimitUntilDate => {
                status(429, FaultBody::Json, Some(RetryAfter::DateInSeconds(2)), false)
            }
            FlashErpFault::RateLimitNonsense => {
                status(429, FaultBody::Json, Some(RetryAfter::Text("in a while".to_owned())), false)
            }
            FlashErpFault::SlowBodies => FaultAction::SlowBody { chunk_bytes: 40, pause_ms: 50 },
            FlashErpFault::CutBodies => FaultAction::CutInBody,
            FlashErpFault::GarbageBodies => FaultAction::GarbageBody,
            FlashErpFault::TooSlow => FaultAction::Delay { before_ms: 0, after_ms: 2_500 },
            FlashErpFault::Outage => return self.sandbox.set_outage(Outage::Unavailable).await,
            FlashErpFault::Gone => return self.sandbox.set_outage(Outage::Cut).await,
        };
        self.sandbox.add_fault(&SandboxFault::new(action).rate(RATE)).await;
    }
}

/// The first process before its children, so that it starts no further ones.
fn family(first: ProcessId) -> Vec<ProcessId> {
    let mut processes = vec![first];
    processes.extend(first.children());
    processes
}
