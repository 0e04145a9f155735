//! One run: step by step through the schedule, what was not felt once more by itself, then to rest and to judgement.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use local_stack::wait;
use testkit::disk::Disk;
use testkit::faults::{Fault, Outlasts, Schedule, Step};
use testkit::history::{What, claims};
use testkit::sandbox::{StripeProgress, StripeSend};

use super::stage::Stage;
use super::{Matrix, Size, finance};

/// How often a fault of which nothing was felt comes once more, by itself.
const ONCE_MORE: usize = 3;
/// Stories that are sent while it does.
const STORIES_ONCE_MORE: u32 = 40;
/// The first of the stories that finance works on, far from the others.
const STORIES_OF_FINANCE: u64 = 1 << 32;
/// The share of Stripe's events that no webhook tells of.
const MISSED: f64 = 0.05;
/// What finance does before the faults of a step begin, and once they have.
const ACTS: (usize, usize) = (2, 3);

/// A run under way. When it fails it says what was felt until then, and how to have it again.
pub(crate) struct Run<'a> {
    pub(crate) seed: u64,
    pub(crate) size: &'a Size,
    pub(crate) stage: Stage,
    /// Sends that may not have ended yet.
    sends: Vec<u64>,
    /// Events of those that have.
    events: u64,
    /// What those could not send.
    unsent: Vec<StripeProgress>,
    next_story: u64,
    on: Vec<Fault>,
    matrix: Matrix,
}

/// Runs the schedule of `seed` and panics unless everything that was accepted is everywhere, once, in its newest state, and something was felt
/// of every fault. Database and broker are on `disk`, if there is one.
pub(crate) async fn run(seed: u64, size: &Size, disk: Option<Disk>) -> Matrix {
    let mut run = Run::start(seed, size, disk).await;
    run.open_books().await;
    let schedule = Schedule::from_seed(seed, size.stories(), &size.faults);
    for step in &schedule.steps {
        run.step(step).await;
    }
    let faults: BTreeSet<Fault> = size.faults.iter().copied().collect();
    for _ in 0..ONCE_MORE {
        for fault in faults.iter().filter(|fault| !run.matrix.has_felt(**fault)).copied().collect::<Vec<_>>() {
            let step = Step {
                first_story: run.next_story,
                stories: STORIES_ONCE_MORE,
                after_accepted: 10,
                faults: vec![fault],
                for_attempts: u64::from(STORIES_ONCE_MORE),
                outlasts: Outlasts::Nothing,
            };
            run.step(&step).await;
        }
    }
    run.comes_to_rest().await;
    let unfelt: Vec<String> =
        faults.iter().filter(|fault| !run.matrix.has_felt(**fault)).map(ToString::to_string).collect();
    assert!(unfelt.is_empty(), "nothing was felt of: {}", unfelt.join(", "));
    std::mem::take(&mut run.matrix)
}

impl<'a> Run<'a> {
    pub(crate) async fn start(seed: u64, size: &'a Size, disk: Option<Disk>) -> Self {
        // Tests of the same seed and size may run side by side.
        let name = format!("history-{seed}-{}-{}.jsonl", size.events, std::process::id());
        let stage = Stage::start(&file(&name), size.keys, disk).await;
        stage.note(&What::Run { seed });
        stage.sandbox.set_seed(seed).await;
        Self {
            seed,
            size,
            stage,
            sends: Vec::new(),
            events: 0,
            unsent: Vec::new(),
            next_story: 0,
            on: Vec::new(),
            matrix: Matrix::default(),
        }
    }

    /// Finance gets customers of its own to work on, before anything goes wrong.
    pub(super) async fn open_books(&mut self) {
        let opening = StripeSend {
            update_every: Some(0),
            miss_rate: None,
            ..self.stories(STORIES_OF_FINANCE, finance::CUSTOMERS)
        };
        let sent = self.stage.sandbox.send_stripe(&opening).await.id;
        self.sends.push(sent);
        self.stage.sandbox.wait_send_done(sent, self.size.patience).await;
        let steps = self.size.faults.len() * (1 + ONCE_MORE);
        let spoils = self.size.faults.len() * 2;
        self.stage.open_books(steps * (ACTS.0 + ACTS.1), spoils, self.size.patience).await;
    }

    async fn step(&mut self, step: &Step) {
        self.settle_sends().await;
        let sent = self.send(step.first_story, step.stories).await;
        self.stage.finance.act(&self.stage.sandbox, ACTS.0).await;
        self.stage.spoil_and_ask().await;
        let names = step.faults.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
        let what = format!("events to be accepted before {names}");
        let begun = wait::until(self.size.patience, &what, || async {
            let progress = self.stage.sandbox.stripe_progress(sent).await;
            progress.accepted >= step.after_accepted || progress.done
        });
        if let Err(late) = begun.await {
            panic!("{late}: {:?}", self.stage.sandbox.stripe_progress(sent).await);
        }
        let mut rows = Vec::new();
        for fault in &step.faults {
            let before = self.stage.measure(*fault).await;
            self.stage.note(&What::FaultBegun { fault: fault.to_string() });
            self.on.push(*fault);
            let in_hand = self.stage.in_hand().await;
            self.stage.begin(*fault).await;
            rows.push((*fault, before, in_hand));
        }
        self.stage.finance.act(&self.stage.sandbox, ACTS.1).await;
        let begun: Vec<_> = rows.iter().map(|(fault, before, _)| (*fault, *before)).collect();
        let on_webhooks = step.faults.iter().any(|fault| fault.is_of_flasherps_webhooks());
        let until = self.stage.history.attempts() + step.for_attempts;
        let began = Instant::now();
        let least = match step.outlasts {
            Outlasts::Nothing => Duration::ZERO,
            Outlasts::Timeouts => self.size.longest_step / 4,
            Outlasts::Leases => self.size.longest_step,
        };
        // That the tries don't come is no error, nor that nothing is felt: then the step has lasted long enough.
        let _long_enough = wait::until(self.size.longest_step, "tries", || async {
            let tried = self.stage.history.attempts() >= until || self.stage.sandbox.stripe_progress(sent).await.done;
            let felt = self.stage.all_felt(&begun).await;
            if on_webhooks && !felt && self.stage.sandbox.webhooks().await.is_idle() {
                self.stage.finance.act(&self.stage.sandbox, 1).await;
            }
            tried && began.elapsed() >= least && felt
        })
        .await;
        for (fault, before, in_hand) in rows.into_iter().rev() {
            self.stage.end(fault).await;
            self.on.retain(|on| *on != fault);
            self.stage.note(&What::FaultEnded { fault: fault.to_string() });
            let after = self.stage.measure(fault).await;
            self.matrix.add(fault, in_hand, before, after);
        }
    }

    /// Begins to send so many stories; answers the send's number.
    pub(crate) async fn send(&mut self, first_story: u64, stories: u32) -> u64 {
        self.next_story = self.next_story.max(first_story + u64::from(stories));
        let sent = self.stage.sandbox.send_stripe(&self.stories(first_story, stories)).await.id;
        self.sends.push(sent);
        sent
    }

    fn stories(&self, first_story: u64, stories: u32) -> StripeSend {
        StripeSend {
            count: stories,
            first_story: Some(first_story),
            seed: Some(self.seed),
            rate_per_second: Some(self.size.per_second),
            concurrency: Some(32),
            target: Some(self.stage.from_stripe.url().to_owned()),
            shuffle: true,
            duplicate_rate: Some(0.1),
            deadline_secs: Some(3 * 3600),
            timeout_ms: Some(5_000),
            payments_per_customer: Some(1),
            update_every: Some(4),
            miss_rate: Some(MISSED),
            kinds: Some(vec!["customer".to_owned(), "payment".to_owned()]),
            ..StripeSend::default()
        }
    }

    /// Counts the sends that have ended: the sandbox remembers only the latest.
    async fn settle_sends(&mut self) {
        self.stage.listed.look().await;
        let mut running = Vec::new();
        for sent in std::mem::take(&mut self.sends) {
            let progress = self.stage.sandbox.stripe_progress(sent).await;
            if !progress.done {
                running.push(sent);
                continue;
            }
            self.events += progress.events - progress.repeats;
            if progress.failed > 0 {
                self.unsent.push(progress);
            }
        }
        self.sends = running;
    }

    pub(super) async fn comes_to_rest(&mut self) {
        let mut wrong = String::new();
        let patience = self.size.patience;
        for sent in &self.sends {
            let all_sent = wait::until(patience, "the sender to be done", || async {
                self.stage.sandbox.stripe_progress(*sent).await.done
            });
            if let Err(late) = all_sent.await {
                let _ = write!(wrong, "\n{late}: {:?}", self.stage.sandbox.stripe_progress(*sent).await);
            }
        }
        self.settle_sends().await;
        for progress in &self.unsent {
            let _ = write!(wrong, "\nnot everything was sent: {progress:?}");
        }
        let at_rest = wait::until(patience, "everything to be in step", || async { self.stage.is_in_step().await });
        if let Err(late) = at_rest.await {
            let _ = write!(wrong, "\n{late}");
            for row in self.stage.out_of_step().await {
                let _ = write!(wrong, "\n  not in step: {row}");
            }
        }
        for disagreement in self.stage.disagreements(patience).await {
            let _ = write!(wrong, "\n{disagreement}");
        }
        self.matrix.fetched =
            self.stage.listed.untold(&self.stage.history.entries(), &["customer.", "payment_intent."]);
        if self.matrix.fetched == 0 {
            wrong.push_str("\nwebhooks told of all of Stripe's events: nothing was fetched");
        }
        let webhooks = self.stage.sandbox.webhooks().await;
        if webhooks.given_up + webhooks.overflowed > 0 {
            let _ = write!(wrong, "\nnot every webhook of FlashERP's was sent: {webhooks:?}");
        }
        // A history that has not everything in it would find nothing wrong.
        for (sender, history, sent) in
            [("Stripe", &self.stage.history, self.events), ("FlashERP", &self.stage.flasherps, webhooks.told)]
        {
            let recorded = claims(&history.entries(), |event| Some((event.id.clone(), String::new())));
            let accepted = recorded.iter().filter(|claim| claim.accepted).count();
            if sent == 0 || u64::try_from(accepted) != Ok(sent) {
                let _ = write!(
                    wrong,
                    "\n{sent} events of {sender}'s were sent until they were accepted; the history has {accepted}"
                );
            }
        }
        for verdict in self.stage.verdicts().await {
            if !verdict.is_good() {
                let _ = write!(wrong, "\n{verdict}");
            }
        }
        assert!(wrong.is_empty(), "seed {}:{wrong}", self.seed);
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let logs = file(&format!("logs-{}-{}", self.seed, self.size.events));
        let kept = self.stage.keep_logs(&logs);
        let on = self.on.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
        // To people: a panic may come from anywhere below, and none of these know the seed.
        eprintln!(
            "{matrix}\nseed {seed}, {events} events, {faults} faults{during}: failed as told above. Again: {again}\nhistory: {history}\nlogs: \
             {logs}{kept}",
            matrix = self.matrix,
            seed = self.seed,
            events = self.size.events,
            faults = self.size.faults.len(),
            during = if on.is_empty() { String::new() } else { format!(", during {on}") },
            again = self.size.again,
            history = self.stage.history.path().display(),
            logs = logs.display(),
            kept = kept.err().map(|error| format!(" (not all: {error})")).unwrap_or_default(),
        );
    }
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}
