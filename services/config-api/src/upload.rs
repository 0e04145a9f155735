//! A body of any length up to a limit, as a stream that a task on any thread can read: a few pieces are in memory, whatever its size, and the
//! client is read no faster than they are taken.
//!
//! A part is never taken for the whole: a body that breaks off, stands still, is too large or is overtaken by the end of this process ends the
//! stream with an error. What the caller does not want any more is read on for a while and forgotten, so that a client that is still sending
//! gets to read its answer.

use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::web::{Bytes, Payload};
use futures::{Stream, StreamExt as _, stream};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Pieces that wait to be taken; one has 32 KiB at most.
const PIECES: usize = 4;
/// A body may pause for so long.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What is not wanted any more is read on for so long.
const LINGER: Duration = Duration::from_secs(5);

/// Why the stream ended before the body did.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    #[error("the body is too large")]
    TooLarge,
    #[error("the body did not go on")]
    TooSlow,
    #[error("the body broke off")]
    Broken(#[source] PayloadError),
    #[error("this process stops")]
    Stopping,
}

/// The body, `most` bytes of it at most; it ends early when `stop` says so.
pub(crate) fn upload(
    payload: Payload,
    most: u64,
    stop: CancellationToken,
) -> impl Stream<Item = Result<Bytes, UploadError>> + Send + use<> {
    let (give, taken) = mpsc::channel(PIECES);
    // What actix gives can't leave its thread.
    actix_web::rt::spawn(async move {
        let mut payload = payload;
        let ended =
            stop.run_until_cancelled(pass(&mut payload, most, &give)).await.unwrap_or(Err(UploadError::Stopping));
        let is_refused = matches!(ended, Err(UploadError::TooLarge)) || give.is_closed();
        // Without this last word the reader would not know whether it is all there.
        let _nobody_reads = give.send(ended.map_or_else(Piece::Failed, |()| Piece::End)).await;
        drop(give);
        if is_refused {
            let forgotten = async { while payload.next().await.is_some_and(|piece| piece.is_ok()) {} };
            let _end_or_enough = tokio::time::timeout_at(Instant::now() + LINGER, forgotten).await;
        }
    });
    stream::unfold(Some(taken), async |taken| {
        let mut taken = taken?;
        match taken.recv().await.unwrap_or(Piece::Failed(UploadError::Stopping)) {
            Piece::Bytes(bytes) => Some((Ok(bytes), Some(taken))),
            Piece::Failed(error) => Some((Err(error), None)),
            Piece::End => None,
        }
    })
}

enum Piece {
    Bytes(Bytes),
    Failed(UploadError),
    End,
}

/// Passes it on until it ends, or until nobody wants it.
async fn pass(payload: &mut Payload, most: u64, give: &mpsc::Sender<Piece>) -> Result<(), UploadError> {
    let mut room = most;
    loop {
        let next = tokio::time::timeout(LONGEST_PAUSE, payload.next()).await.map_err(|_| UploadError::TooSlow)?;
        let Some(piece) = next.transpose().map_err(UploadError::Broken)? else { return Ok(()) };
        room = room.checked_sub(piece.len() as u64).ok_or(UploadError::TooLarge)?;
        if give.send(Piece::Bytes(piece)).await.is_err() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use actix_web::FromRequest as _;
    use actix_web::dev;
    use actix_web::test::TestRequest;
    use futures::TryStreamExt as _;

    use super::*;

    const ROOM: u64 = 10;

    async fn read(
        pieces: impl Stream<Item = Result<Bytes, PayloadError>> + 'static,
        stop: CancellationToken,
    ) -> Result<Vec<Bytes>, UploadError> {
        let (request, _) = TestRequest::post().to_http_parts();
        let pieces: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>> = Box::pin(pieces);
        let mut payload = dev::Payload::Stream { payload: pieces };
        let payload = Payload::from_request(&request, &mut payload).await.expect("a payload");
        upload(payload, ROOM, stop).try_collect().await
    }

    fn pieces(lengths: &[usize]) -> impl Stream<Item = Result<Bytes, PayloadError>> + use<> {
        stream::iter(lengths.iter().map(|length| Ok(Bytes::from(vec![b'x'; *length]))).collect::<Vec<_>>())
    }

    #[actix_web::test]
    async fn as_many_bytes_as_there_is_room_for_are_passed_on_and_a_byte_more_is_too_large() {
        let never = CancellationToken::new();
        assert_eq!(read(pieces(&[4, 6]), never.clone()).await.expect("all of it").len(), 2);
        assert!(matches!(read(pieces(&[4, 7]), never).await, Err(UploadError::TooLarge)));
    }

    #[actix_web::test]
    async fn a_part_is_never_taken_for_the_whole() {
        let broken = pieces(&[4]).chain(stream::iter([Err(PayloadError::Incomplete(None))]));
        assert!(matches!(read(broken, CancellationToken::new()).await, Err(UploadError::Broken(_))));
        let stopped = CancellationToken::new();
        stopped.cancel();
        assert!(matches!(read(pieces(&[4]).chain(stream::pending()), stopped).await, Err(UploadError::Stopping)));
    }

    #[actix_web::test]
    async fn a_body_that_stands_still_is_given_up() {
        tokio::time::pause();
        let still = pieces(&[4]).chain(stream::pending());
        assert!(matches!(read(still, CancellationToken::new()).await, Err(UploadError::TooSlow)));
    }
}
