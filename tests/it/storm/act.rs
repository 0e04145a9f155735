//! Carries out each fault and takes it back.

use std::time::Duration;

use local_stack::wait;
use rustix::process::Signal;
use testkit::faults::{Between, Fault, LinkFault, Point, Process};
use testkit::proxy::{Link, Proxy};
use testkit::{ProcessId, Service};

use super::flasherp;
use super::stage::Stage;

/// Bytes that a connection passes before it is cut: less than one webhook, one batch or a few records.
const CUT_AFTER: u64 = 600;
/// The same from the broker to whom it has hardly more to say than that it is there: within one heartbeat.
const CUT_WITHIN_HEARTBEAT: u64 = 3;
/// The pass of a point at which a process dies.
const FATAL_PASS: u64 = 2;
/// How long is waited for a worker to have something in its hands before it is hit.
const WORK_WITHIN: Duration = Duration::from_secs(2);

impl Stage {
    /// It begins.
    pub(super) async fn begin(&mut self, fault: Fault) {
        if matches!(fault.process(), Some(Process::Worker | Process::SecondWorker)) {
            // A worker that has nothing to do is hit all the same.
            let _idle = wait::until(WORK_WITHIN, "work", || async { self.in_hand().await > 0 }).await;
        }
        match fault {
            Fault::Killed(process) => self.kill(process).await,
            Fault::Frozen(process) => self.signal(process, Signal::STOP),
            Fault::Restarted(process) => self.stop(process).await,
            Fault::Dies(point) => self.order_death(point).await,
            Fault::BrokerStorageDeleted => {
                self.kill(Process::Broker).await;
                self.broker.nats.delete_storage().expect("a broker that is away can be robbed");
            }
            Fault::Link(between, fault) => self.disturb(between, fault),
            Fault::FlashErp(fault) => flasherp::begin(&self.sandbox, fault, self.from_flasherp.url()).await,
            Fault::StripeApiUnavailable => self.sandbox.set_stripe_outage(Some(503), None).await,
            Fault::PowerCut => self.cut_power(),
        }
    }

    /// It is over.
    pub(super) async fn end(&mut self, fault: Fault) {
        match fault {
            Fault::Killed(process) | Fault::Restarted(process) => self.start_again(process).await,
            Fault::Frozen(process) => self.signal(process, Signal::CONT),
            Fault::Dies(point) => self.after_death(point).await,
            Fault::BrokerStorageDeleted => self.start_again(Process::Broker).await,
            Fault::Link(between, _) => self.proxy(between).heal(),
            Fault::FlashErp(_) => flasherp::end(&self.sandbox, self.from_flasherp.url()).await,
            Fault::StripeApiUnavailable => self.sandbox.set_stripe_outage(None, None).await,
            Fault::PowerCut => self.return_power().await,
        }
    }

    pub(super) async fn kill(&mut self, process: Process) {
        assert!(self.is_running(process), "{process} does not run");
        let killed = match process {
            Process::Database => self.database.postgres.kill().await,
            Process::Broker => self.broker.nats.kill().await,
            _ => self.service(process).kill().await,
        };
        killed.unwrap_or_else(|error| panic!("{process} can't be killed: {error}"));
    }

    /// All services are gone for good.
    pub(super) async fn stop_all(&mut self) {
        for service in self.services.values_mut().chain(self.standbys.values_mut()) {
            service.kill().await.unwrap_or_else(|error| panic!("{} can't be killed: {error}", service.name()));
        }
    }

    async fn stop(&mut self, process: Process) {
        assert!(self.is_running(process), "{process} does not run");
        let stopped = match process {
            Process::Database => self.database.postgres.stop().await.map(|()| String::new()),
            Process::Broker => self.broker.nats.stop().await.map(|()| String::new()),
            _ => self.service(process).stop().await,
        };
        stopped.unwrap_or_else(|error| panic!("{process} can't be stopped: {error}"));
    }

    pub(super) async fn start_again(&mut self, process: Process) {
        let started = match process {
            Process::Database => self.database.postgres.restart().await,
            Process::Broker => self.broker.nats.restart().await,
            _ => self.service(process).restart().await,
        };
        started.unwrap_or_else(|error| panic!("{process} does not start again: {error}"));
    }

    /// Its service is killed and comes back with the order. Nobody takes over from it, so that it is this one that comes to the point.
    async fn order_death(&mut self, point: Point) {
        self.kill(point.process).await;
        if let Some(standby) = self.standbys.get_mut(&point.process) {
            standby.kill().await.unwrap_or_else(|error| panic!("{}'s standby can't be killed: {error}", point.process));
        }
        // A reconciliation passes most of its points once.
        let pass = if point.process == Process::Reconciler { 1 } else { FATAL_PASS };
        let order = format!("{}:{pass}", point.name);
        let options = self.options.get(&point.process).expect("it was started").clone().env("ERP_FAILPOINT", order);
        match Service::start(options).await {
            Ok(service) => *self.service(point.process) = service,
            // It had work at once, and died of it before it was seen to listen.
            Err(_) if self.has_died_at(point) => {}
            Err(error) => panic!("{} does not start with a failpoint: {error}", point.process),
        }
    }

    /// It comes back in health, be it that it never came to the point.
    async fn after_death(&mut self, point: Point) {
        if !self.is_running(point.process) {
            assert!(self.has_died_at(point), "{} ended otherwise than at {}", point.process, point.name);
            *self.deaths.entry(point).or_default() += 1;
        }
        if let Some(standby) = self.standbys.get_mut(&point.process) {
            let started = standby.restart().await;
            started.unwrap_or_else(|error| panic!("{}'s standby does not start again: {error}", point.process));
        }
        let options = self.options.get(&point.process).expect("it was started").clone();
        let service = self.service(point.process);
        service.kill().await.unwrap_or_else(|error| panic!("{} can't be killed: {error}", point.process));
        match Service::start(options).await {
            Ok(started) => *service = started,
            Err(error) => panic!("{} does not start again: {error}", point.process),
        }
    }

    /// Whether the last words in its log are those of this death.
    fn has_died_at(&self, point: Point) -> bool {
        let log = &self.options.get(&point.process).expect("it was started").log;
        let words = std::fs::read_to_string(log).unwrap_or_default();
        let last = words.lines().rev().take(5).collect::<Vec<_>>().join("\n");
        last.contains(&format!("failpoint {}: the process dies here", point.name))
    }

    fn signal(&self, process: Process, signal: Signal) {
        let processes = self.processes(process);
        assert!(!processes.is_empty(), "{process} does not run");
        for process in processes {
            process.signal(signal);
        }
    }

    pub(super) fn is_running(&self, process: Process) -> bool {
        !self.processes(process).is_empty()
    }

    /// Its processes; none when it does not run.
    pub(super) fn processes(&self, process: Process) -> Vec<ProcessId> {
        match process {
            Process::Database => self.database.postgres.process().into_iter().flat_map(family).collect(),
            Process::Broker => self.broker.nats.process().into_iter().collect(),
            _ => self.services.get(&process).and_then(Service::process).into_iter().collect(),
        }
    }

    pub(super) fn service(&mut self, process: Process) -> &mut Service {
        self.services.get_mut(&process).unwrap_or_else(|| panic!("{process} is no service"))
    }

    pub(super) fn proxy(&self, between: Between) -> &Proxy {
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
            LinkFault::CutToServer if between == Between::ReconcilerAndBroker => {
                proxy.set(Link::cut_after_to_server(CUT_WITHIN_HEARTBEAT));
            }
            LinkFault::CutToServer => proxy.set(Link::cut_after_to_server(CUT_AFTER)),
            LinkFault::CutToClient
                if matches!(
                    between,
                    Between::IngressAndBroker | Between::SchedulerAndBroker | Between::ReconcilerAndBroker
                ) =>
            {
                proxy.set(Link::cut_after_to_client(CUT_WITHIN_HEARTBEAT));
            }
            LinkFault::CutToClient => proxy.set(Link::cut_after_to_client(CUT_AFTER)),
        }
    }
}

/// The first process before its children, so that it starts no further ones.
fn family(first: ProcessId) -> Vec<ProcessId> {
    let mut processes = vec![first];
    processes.extend(first.children());
    processes
}
