//! A handler that tells a test what it sees and does as the test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use events::{Event, SyncRequested};
use messaging::Broker;
use messaging::consumer::{self, ConsumerOptions, Disposition, Dispositions, Handler, Received};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::SOON;

pub(crate) type Hint = Received<Event<SyncRequested>>;

/// What to do with a batch.
type Decide = dyn Fn(&[Hint]) -> Dispositions + Send + Sync;

/// Handles hints.
pub(crate) struct Recorder {
    seen: mpsc::UnboundedSender<Vec<Hint>>,
    decide: Box<Decide>,
    /// A batch is told of at once, and done with when it gets a permit.
    gate: Arc<Semaphore>,
    now: AtomicUsize,
    peak: Arc<AtomicUsize>,
}

/// A consumer loop with a recorder.
pub(crate) struct Recording {
    pub(crate) batches: mpsc::UnboundedReceiver<Vec<Hint>>,
    pub(crate) gate: Arc<Semaphore>,
    pub(crate) peak: Arc<AtomicUsize>,
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

impl Handler for Recorder {
    type Message = Event<SyncRequested>;

    async fn handle(&self, batch: Vec<Hint>) -> Dispositions {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(now, Ordering::SeqCst);
        // The test may have stopped listening.
        let _unheard = self.seen.send(batch.clone());
        let dispositions = (self.decide)(&batch);
        self.gate.acquire().await.expect("the gate is never closed").forget();
        self.now.fetch_sub(1, Ordering::SeqCst);
        dispositions
    }
}

/// Starts a loop on the outbound worker's durable. Batches pass the gate as far as the test adds permits.
pub(crate) fn record_gated(
    broker: &Broker,
    options: ConsumerOptions,
    permits: usize,
    decide: impl Fn(&[Hint]) -> Dispositions + Send + Sync + 'static,
) -> Recording {
    let (seen, batches) = mpsc::unbounded_channel();
    let gate = Arc::new(Semaphore::new(permits));
    let peak = Arc::new(AtomicUsize::new(0));
    let recorder = Recorder {
        seen,
        decide: Box::new(decide),
        gate: Arc::clone(&gate),
        now: AtomicUsize::new(0),
        peak: Arc::clone(&peak),
    };
    let stop = CancellationToken::new();
    let run = consumer::run(
        broker.clone(),
        events::traffic::Durable::SyncWorkerOutbound,
        options,
        Arc::new(recorder),
        stop.clone(),
    );
    Recording { batches, gate, peak, stop, task: tokio::spawn(run) }
}

/// The same without a gate.
pub(crate) fn record(broker: &Broker, decide: impl Fn(&[Hint]) -> Dispositions + Send + Sync + 'static) -> Recording {
    record_gated(broker, ConsumerOptions::default(), Semaphore::MAX_PERMITS, decide)
}

/// The same, acking everything.
pub(crate) fn record_acked(broker: &Broker) -> Recording {
    record(broker, |_| Dispositions::all(Disposition::Ack))
}

impl Recording {
    /// The next batch.
    pub(crate) async fn batch(&mut self) -> Vec<Hint> {
        tokio::time::timeout(SOON, self.batches.recv()).await.expect("a batch comes").expect("the loop runs")
    }

    /// The next hint; there must be no more in its batch.
    pub(crate) async fn hint(&mut self) -> Hint {
        let mut batch = self.batch().await;
        assert_eq!(batch.len(), 1, "{batch:#?}");
        batch.remove(0)
    }

    /// The ids of the next batches until there are as many.
    pub(crate) async fn ids(&mut self, count: usize) -> Vec<u128> {
        let mut ids = Vec::new();
        while ids.len() < count {
            ids.extend(self.batch().await.iter().flat_map(ids_of));
        }
        ids.sort_unstable();
        ids
    }

    /// Stops the loop and waits for its end.
    pub(crate) async fn stopped(self) {
        self.stop.cancel();
        tokio::time::timeout(SOON, self.task).await.expect("the loop ends").expect("without a panic");
    }
}

pub(crate) fn ids_of(hint: &Hint) -> Vec<u128> {
    hint.message.data.ids.iter().map(|id| id.as_u128()).collect()
}
