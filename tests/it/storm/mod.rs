//! Events are sent while things go wrong by a schedule; in the end every place is held against what was accepted.
//!
//! A run is a function of its seed, as far as a run can be: the stories, the faults, their order, when each begins in events accepted and for
//! how many tries it lasts. How the processes interleave is the machine's. What fails says seed, fault and record, and where the history is.

mod act;
mod matrix;
mod places;
mod stage;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use local_stack::wait;
use testkit::faults::{Fault, Schedule};
use testkit::history::What;
use testkit::sandbox::StripeSend;

pub(crate) use matrix::Matrix;
use stage::Stage;

/// How big a run is.
#[derive(Debug, Clone)]
pub(crate) struct Size {
    /// Distinct events, about; repeats come on top.
    pub(crate) events: u32,
    /// First tries a second.
    pub(crate) per_second: u32,
    /// What goes wrong, each at least once.
    pub(crate) faults: Vec<Fault>,
    /// How long a step lasts at most, when the sender does not make its tries: what it sends to may be frozen.
    pub(crate) longest_step: Duration,
    /// How long the system may take to come to rest after the last event.
    pub(crate) patience: Duration,
}

/// Runs the schedule of `seed` and panics unless everything that was accepted is everywhere, once.
pub(crate) async fn run(seed: u64, size: &Size) -> Matrix {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("history-{seed}-{}.jsonl", size.events));
    let mut stage = Stage::start(&file).await;
    stage.history.write(What::Run { seed });
    let sent = send(seed, size, &stage).await;
    let schedule = Schedule::from_seed(seed, u64::from(size.events), &size.faults);
    let mut matrix = Matrix::default();
    for step in &schedule.steps {
        let names = step.faults.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
        let begun = wait::until(size.patience, "events to be accepted", || async {
            stage.history.accepted() >= step.after_accepted || stage.sandbox.stripe_progress(sent).await.done
        });
        if let Err(late) = begun.await {
            panic!("seed {seed}: before {names}: {late}; {} accepted; {}", stage.history.accepted(), stage.describe());
        }
        let mut rows = Vec::new();
        for fault in &step.faults {
            let before = stage.measure(*fault).await;
            stage.history.write(What::FaultBegun { fault: fault.to_string() });
            stage.begin(*fault).await;
            rows.push((*fault, before));
        }
        let until = stage.history.attempts() + step.for_attempts;
        // That the tries don't come is no error: then the step has lasted long enough.
        let _long_enough =
            wait::until(size.longest_step, "tries", || async { stage.history.attempts() >= until }).await;
        for (fault, before) in rows.into_iter().rev() {
            stage.end(fault).await;
            stage.history.write(What::FaultEnded { fault: fault.to_string() });
            matrix.add(fault, before, stage.measure(fault).await);
        }
    }
    stage.comes_to_rest(seed, sent, size).await;
    matrix
}

async fn send(seed: u64, size: &Size, stage: &Stage) -> u64 {
    let send = StripeSend {
        // Each story is a customer and a payment; one in four customers changes.
        count: size.events * 4 / 9,
        seed: Some(seed),
        rate_per_second: Some(size.per_second),
        concurrency: Some(32),
        target: Some(stage.recorder.url().to_owned()),
        shuffle: true,
        duplicate_rate: Some(0.1),
        deadline_secs: Some(3 * 3600),
        timeout_ms: Some(5_000),
        payments_per_customer: Some(1),
        update_every: Some(4),
        kinds: Some(vec!["customer".to_owned(), "payment".to_owned()]),
        ..StripeSend::default()
    };
    stage.sandbox.set_seed(seed).await;
    stage.sandbox.send_stripe(&send).await.id
}

impl Stage {
    async fn comes_to_rest(&mut self, seed: u64, sent: u64, size: &Size) {
        let mut wrong = String::new();
        let all_sent = wait::until(size.patience, "the sender to be done", || async {
            self.sandbox.stripe_progress(sent).await.done
        });
        if let Err(late) = all_sent.await {
            let _ = write!(wrong, "\n{late}: {:?}", self.sandbox.stripe_progress(sent).await);
        }
        let at_rest = wait::until(size.patience, "everything to be in step", || async { self.is_in_step().await });
        if let Err(late) = at_rest.await {
            let _ = write!(wrong, "\n{late}");
            for row in self.out_of_step().await {
                let _ = write!(wrong, "\n  not in step: {row}");
            }
        }
        for verdict in self.verdicts().await {
            if !verdict.is_good() {
                let _ = write!(wrong, "\n{verdict}");
            }
        }
        assert!(wrong.is_empty(), "seed {seed}: {}:{wrong}", self.describe());
    }
}
