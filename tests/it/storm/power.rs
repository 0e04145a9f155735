//! The machine under database, broker and services goes off with everything that runs on it, and comes back with what its disk held.

use rustix::process::Signal;
use testkit::Service;
use testkit::checker::{Finding, check};
use testkit::faults::Process;
use testkit::history::{History, claims};

use super::places::stored_events;
use super::stage::Stage;

impl Stage {
    /// Off: from one moment on nothing reaches the disk, and then everybody is dead. Whoever was waiting for the disk has answered nobody.
    pub(crate) fn cut_power(&mut self) {
        self.disk.as_mut().expect("a run with power cuts has a disk").cut_power();
        let standbys = self.standbys.values().filter_map(Service::process);
        for process in Process::ALL.into_iter().flat_map(|process| self.processes(process)).chain(standbys) {
            process.signal(Signal::KILL);
        }
    }

    /// On: the disk as it was in that moment, database and broker on it. The services are not yet there.
    pub(crate) async fn boot(&mut self) {
        self.disk.as_mut().expect("a run with power cuts has a disk").return_power().await;
        for process in Process::ALL {
            // They are dead; this takes them off the list of what runs.
            let ended = match process {
                Process::Database => self.database.postgres.kill().await,
                Process::Broker => self.broker.nats.kill().await,
                _ => self.service(process).kill().await,
            };
            ended.unwrap_or_else(|error| panic!("{process} outlived the power cut: {error}"));
        }
        for standby in self.standbys.values_mut() {
            standby.kill().await.unwrap_or_else(|error| panic!("a standby outlived the power cut: {error}"));
        }
        self.start_again(Process::Database).await;
        self.start_again(Process::Broker).await;
    }

    /// Events that were answered 2xx and are not in the database, with the faults that were on.
    pub(crate) async fn lost_events(&self) -> Vec<Finding> {
        let told = |history: &History| claims(&history.entries(), |event| Some((event.id.clone(), String::new())));
        let events = [told(&self.history), told(&self.flasherps)].concat();
        let pool = self.database.pool("erp_owner").await;
        let verdict = check("ingress.webhook_events", &events, &stored_events(&pool).await);
        pool.close().await;
        verdict.findings.into_iter().filter(|finding| matches!(finding, Finding::Lost(_))).collect()
    }

    /// The power is back: what was answered is there, before any sender comes again, and the services start.
    pub(super) async fn return_power(&mut self) {
        self.boot().await;
        let lost = self.lost_events().await;
        let words: Vec<String> = lost.iter().map(ToString::to_string).collect();
        assert!(lost.is_empty(), "lost in a power cut:\n  {}", words.join("\n  "));
        for process in self.options.keys().copied().collect::<Vec<_>>() {
            self.start_again(process).await;
        }
        for standby in self.standbys.values_mut() {
            standby.restart().await.unwrap_or_else(|error| panic!("a standby does not start again: {error}"));
        }
    }
}
