//! One direction of one connection: what is read waits in a bounded line until the link lets it pass. The reader never waits for the link,
//! only for room, so that delay costs no bandwidth.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::link::{Direction, Flow, Link};
use super::{Counts, Setting};

const CHUNK: usize = 16 << 10;
/// Chunks in the line: as much as a network's buffers might hold.
const LINE: usize = 64;
/// A limited direction sends in portions of this part of a second.
const PORTIONS_PER_SECOND: u64 = 20;

/// The connection ends with a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

/// One direction of one connection.
pub(super) struct Pump<'a> {
    pub(super) link: watch::Receiver<Setting>,
    pub(super) of: fn(&Link) -> Direction,
    pub(super) passed: &'a AtomicU64,
    pub(super) counts: &'a Counts,
}

struct Chunk {
    read: Instant,
    what: What,
}

enum What {
    Bytes(Vec<u8>),
    /// The sender said all.
    Fin,
    /// The sender's side broke.
    Reset,
}

impl Pump<'_> {
    /// Passes everything on until the sender's end was passed on too.
    pub(super) async fn run(self, from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>) -> Result<(), Broken> {
        let (line, waiting) = mpsc::channel(LINE);
        let mut passing = std::pin::pin!(self.pass(waiting, to));
        tokio::select! {
            passed = &mut passing => return passed,
            () = read(from, line) => {}
        }
        passing.await
    }

    async fn pass(mut self, mut waiting: mpsc::Receiver<Chunk>, to: &mut WriteHalf<'_>) -> Result<(), Broken> {
        let mut seen = self.link.borrow().version;
        let mut left = (self.of)(&self.link.borrow().link).cut_after;
        let mut has_lost = false;
        let mut free_at = Instant::now();
        while let Some(chunk) = waiting.recv().await {
            let mut offset = 0;
            let mut is_held = false;
            loop {
                let Setting { version, link } = *self.link.borrow_and_update();
                let direction = (self.of)(&link);
                if version != seen {
                    (seen, left) = (version, direction.cut_after);
                }
                match direction.flow {
                    Flow::Held => {
                        if let (What::Bytes(bytes), false) = (&chunk.what, is_held) {
                            self.counts.held.fetch_add(count(bytes.len() - offset), Ordering::Relaxed);
                        }
                        is_held = true;
                        self.changed().await?;
                        continue;
                    }
                    Flow::Lost => {
                        has_lost = true;
                        let What::Bytes(bytes) = &chunk.what else {
                            // The end is lost too: the other side waits for it until the link is well and the connection reset.
                            self.changed().await?;
                            continue;
                        };
                        self.counts.lost.fetch_add(count(bytes.len() - offset), Ordering::Relaxed);
                        break;
                    }
                    Flow::Open if has_lost => return Err(Broken),
                    Flow::Open => {}
                }
                let due = free_at.max(chunk.read + direction.delay);
                if due > Instant::now() {
                    tokio::select! {
                        () = sleep_until(due) => {}
                        changed = self.link.changed() => changed.map_err(|_| Broken)?,
                    }
                    continue;
                }
                let bytes = match &chunk.what {
                    What::Bytes(bytes) => bytes.get(offset..).unwrap_or_default(),
                    What::Fin => return to.shutdown().await.map_err(|_| Broken),
                    What::Reset => return Err(Broken),
                };
                if bytes.is_empty() {
                    break;
                }
                let portion = portion(bytes, direction.bytes_per_second, left);
                to.write_all(portion).await.map_err(|_| Broken)?;
                offset += portion.len();
                let sent = count(portion.len());
                self.passed.fetch_add(sent, Ordering::Relaxed);
                if let Some(rate) = direction.bytes_per_second {
                    free_at = Instant::now() + Duration::from_micros(sent.saturating_mul(1_000_000) / rate.max(1));
                }
                left = left.map(|left| left.saturating_sub(sent));
                if left == Some(0) {
                    return Err(Broken);
                }
            }
        }
        Ok(())
    }

    async fn changed(&mut self) -> Result<(), Broken> {
        // The sender of settings is gone only when the proxy is.
        self.link.changed().await.map_err(|_| Broken)
    }
}

/// What of `bytes` may go at once.
fn portion(bytes: &[u8], rate: Option<u64>, left: Option<u64>) -> &[u8] {
    let by_rate = rate.map_or(u64::MAX, |rate| (rate / PORTIONS_PER_SECOND).max(1));
    let most = usize::try_from(by_rate.min(left.unwrap_or(u64::MAX))).unwrap_or(usize::MAX);
    bytes.get(..most).unwrap_or(bytes)
}

async fn read(from: &mut ReadHalf<'_>, line: mpsc::Sender<Chunk>) {
    loop {
        let mut buffer = Vec::with_capacity(CHUNK);
        let what = match from.read_buf(&mut buffer).await {
            Ok(0) => What::Fin,
            Ok(_) => What::Bytes(buffer),
            Err(_) => What::Reset,
        };
        let is_end = !matches!(what, What::Bytes(_));
        if line.send(Chunk { read: Instant::now(), what }).await.is_err() || is_end {
            return;
        }
    }
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
