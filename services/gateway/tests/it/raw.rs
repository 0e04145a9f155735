//! Requests byte by byte, as no decent client would send them.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::kit::DEADLINE;

/// Sends this and reads until the other side closes, which a `Connection: close` asks for.
pub(crate) async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    // The other side may refuse before it has read all of it.
    let _cut_off = stream.write_all(request).await;
    read_to_end(stream).await
}

/// Everything until the other side closes.
pub(crate) async fn read_to_end(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    // Also a reset ends it.
    let _closed_or_reset = tokio::time::timeout(DEADLINE, reading).await.expect("an end");
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status of the first answer; 0 when the connection was closed without one.
pub(crate) fn status_of(answer: &str) -> u16 {
    answer.split_whitespace().nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}
