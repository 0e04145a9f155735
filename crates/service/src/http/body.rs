//! Reads a request's body as it was sent, up to 1 MiB and no longer than a deadline.
//!
//! The server's own timeout covers the head alone; without a deadline here a client could hold a connection for ever by sending a byte a
//! minute. A body that came with its head, as a webhook's does, costs no copy and no timer.

use std::pin::pin;
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap};
use bytes::{Bytes, BytesMut};
use futures::{FutureExt as _, Stream, StreamExt as _};

use super::BODY_LIMIT;

/// How long a body may take to arrive.
pub const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// More than [`BODY_LIMIT`] bytes.
    #[error("the body is too large")]
    TooLarge,
    /// Not there within the deadline.
    #[error("the body did not arrive in time")]
    TooSlow,
    /// The connection broke, or what came is not HTTP.
    #[error("the body could not be read")]
    Broken(#[source] PayloadError),
}

/// The length that the head promises, if it does.
pub fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads it whole.
///
/// # Errors
/// [`BodyError`].
pub async fn read_body(
    payload: impl Stream<Item = Result<Bytes, PayloadError>> + Unpin,
    deadline: Duration,
) -> Result<Bytes, BodyError> {
    let mut read = pin!(collect(payload));
    // Most bodies are there already.
    if let Some(outcome) = read.as_mut().now_or_never() {
        return outcome;
    }
    tokio::time::timeout(deadline, read).await.unwrap_or(Err(BodyError::TooSlow))
}

async fn collect(mut payload: impl Stream<Item = Result<Bytes, PayloadError>> + Unpin) -> Result<Bytes, BodyError> {
    let Some(first) = payload.next().await else {
        return Ok(Bytes::new());
    };
    let first = fits(first)?;
    let Some(second) = payload.next().await else {
        return Ok(first);
    };
    let mut body = BytesMut::from(first);
    let mut next = Some(second);
    while let Some(chunk) = next {
        let chunk = fits(chunk)?;
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&chunk);
        next = payload.next().await;
    }
    Ok(body.freeze())
}

fn fits(chunk: Result<Bytes, PayloadError>) -> Result<Bytes, BodyError> {
    match chunk {
        Ok(chunk) if chunk.len() > BODY_LIMIT => Err(BodyError::TooLarge),
        Ok(chunk) => Ok(chunk),
        Err(error) => Err(BodyError::Broken(error)),
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    async fn collected(chunks: Vec<usize>) -> Result<usize, BodyError> {
        let chunks = chunks.into_iter().map(|len| Ok(Bytes::from(vec![b'x'; len])));
        collect(stream::iter(chunks)).await.map(|body| body.len())
    }

    #[tokio::test]
    async fn a_mebibyte_is_read_however_it_is_cut() {
        for chunks in [vec![], vec![BODY_LIMIT], vec![1, BODY_LIMIT - 1], vec![1000, 0, 48, 1 << 19]] {
            let len = chunks.iter().sum::<usize>();
            assert_eq!(collected(chunks).await.expect("fits"), len);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_is_too_slow() {
        let begun = stream::iter([Ok(Bytes::from_static(b"{"))]).chain(stream::pending());
        assert!(matches!(read_body(begun, BODY_DEADLINE).await, Err(BodyError::TooSlow)));
    }

    #[tokio::test]
    async fn a_byte_more_is_too_large_however_it_is_cut() {
        for chunks in [vec![BODY_LIMIT + 1], vec![1, BODY_LIMIT], vec![BODY_LIMIT, 1]] {
            assert!(matches!(collected(chunks).await, Err(BodyError::TooLarge)));
        }
    }
}
