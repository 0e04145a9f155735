//! Closed-loop load over keep-alive connections: each sends its next request when the answer to the last is there.
//!
//! Requests are made beforehand, byte for byte, and answers are read no further than needed, so that what is measured is the server.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What a round showed.
#[derive(Debug, Clone)]
pub struct Round {
    /// Answers, all of them 200 or 201.
    pub answers: usize,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Of each request, sorted.
    latencies: Vec<Duration>,
}

impl Round {
    /// Answers a second.
    #[must_use]
    #[expect(clippy::float_arithmetic, reason = "a rate for people to read")]
    pub fn rate(&self) -> f64 {
        f64::from(u32::try_from(self.answers).unwrap_or(u32::MAX)) / self.elapsed.as_secs_f64()
    }

    /// The latency that `per_mille` of the requests did not exceed.
    #[must_use]
    pub fn quantile(&self, per_mille: usize) -> Duration {
        let at = (self.latencies.len() * per_mille / 1000).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(at).copied().unwrap_or_default()
    }
}

/// Sends each connection's requests over it, one after the other, all connections at once.
///
/// # Errors
/// A connection breaks, or an answer is neither 200 nor 201.
pub async fn run(address: SocketAddr, requests: Vec<Vec<Vec<u8>>>) -> anyhow::Result<Round> {
    let mut connections = Vec::with_capacity(requests.len());
    for requests in requests {
        let stream = TcpStream::connect(address).await.context("connecting")?;
        stream.set_nodelay(true)?;
        connections.push((stream, requests));
    }
    let begun = Instant::now();
    let tasks: Vec<_> = connections
        .into_iter()
        .map(|(stream, requests)| tokio::task::spawn_local(send_all(stream, requests)))
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.context("a connection's task")??);
    }
    let elapsed = begun.elapsed();
    latencies.sort_unstable();
    Ok(Round { answers: latencies.len(), elapsed, latencies })
}

async fn send_all(mut stream: TcpStream, requests: Vec<Vec<u8>>) -> anyhow::Result<Vec<Duration>> {
    let mut latencies = Vec::with_capacity(requests.len());
    let mut answer = vec![0; 4096];
    for request in requests {
        let begun = Instant::now();
        stream.write_all(&request).await?;
        let mut filled = 0;
        loop {
            if filled == answer.len() {
                answer.resize(2 * filled, 0);
            }
            let read = stream.read(&mut answer[filled..]).await?;
            ensure!(read > 0, "the server closed the connection");
            filled += read;
            if is_whole(&answer[..filled]) {
                break;
            }
        }
        latencies.push(begun.elapsed());
        ensure!(answer.starts_with(b"HTTP/1.1 20"), "not 200 or 201: {}", String::from_utf8_lossy(&answer[..filled]));
    }
    Ok(latencies)
}

/// Whether head and body are there.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = find(answer, b"\r\n\r\n") else { return false };
    let head = &answer[..end];
    let Some(at) = find(head, b"content-length: ") else { return false };
    let digits = head[at + 16..].iter().take_while(|byte| byte.is_ascii_digit());
    let length = digits.fold(0, |sum, byte| sum * 10 + usize::from(byte - b'0'));
    answer.len() >= end + 4 + length
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
