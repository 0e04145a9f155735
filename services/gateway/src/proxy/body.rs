//! A request's body on its way to a backend: whole, or as it comes.
//!
//! A body of up to 1 MiB is read first and sent then, so that a slow client holds up no backend and a large one is refused before a backend
//! hears of it. An import goes through as it comes: a few pieces are in memory, whatever its size, and the client is read no faster than the
//! backend takes it.

use std::io;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_web::{HttpRequest, web};
use bytes::Bytes;
use domain::ErrorCode;
use futures::StreamExt as _;
use futures::stream;
use service::http::{ApiError, BODY_DEADLINE, BODY_LIMIT, BodyError, declared_length, read_body};
use tokio::sync::{mpsc, oneshot};

/// Pieces of a streamed body that wait for the backend to take them.
const PIECES: usize = 4;

/// The body, whole; `None` when the request has none.
///
/// # Errors
/// 413, 408 or 400.
pub(crate) async fn whole(request: &HttpRequest, payload: web::Payload) -> Result<Option<Bytes>, ApiError> {
    let headers = request.headers();
    if !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING) {
        return Ok(None);
    }
    if declared_length(headers).is_some_and(|length| length > BODY_LIMIT as u64) {
        return Err(refused(&BodyError::TooLarge));
    }
    read_body(payload, BODY_DEADLINE).await.map(Some).map_err(|error| refused(&error))
}

fn refused(error: &BodyError) -> ApiError {
    let (code, status, message) = match error {
        BodyError::TooLarge => {
            (ErrorCode::InvalidRequest, StatusCode::PAYLOAD_TOO_LARGE, "the body is too large; send at most 1 MiB")
        }
        BodyError::TooSlow => too_slow(),
        BodyError::Broken(_) => {
            (ErrorCode::InvalidRequest, StatusCode::BAD_REQUEST, "the body could not be read; send it again")
        }
    };
    ApiError::new(code, message).with_status(status)
}

fn too_slow() -> (ErrorCode, StatusCode, &'static str) {
    (ErrorCode::Timeout, StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time; send it again")
}

/// A body that goes on as it comes.
pub(crate) struct Upload {
    /// For the backend.
    pub(crate) body: reqwest::Body,
    /// How the reading of it ended, as soon as it did.
    pub(crate) outcome: oneshot::Receiver<Outcome>,
}

/// How the reading of a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is all there, or the backend wants no more of it.
    Whole,
    TooSlow,
    Broken,
}

impl Outcome {
    /// What the client is told when the backend could not answer because of it.
    pub(crate) fn error(self) -> Option<ApiError> {
        match self {
            Self::Whole => None,
            Self::TooSlow => {
                let (code, status, message) = too_slow();
                Some(ApiError::new(code, message).with_status(status))
            }
            Self::Broken => Some(ApiError::new(ErrorCode::InvalidRequest, "the body could not be read; send it again")),
        }
    }
}

/// The body as it comes; it may pause for so long. A task of this thread reads it, since what actix gives can't leave the thread.
pub(crate) fn streamed(payload: web::Payload, pause: Duration) -> Upload {
    let (pieces, taken) = mpsc::channel(PIECES);
    let (ended, outcome) = oneshot::channel();
    actix_web::rt::spawn(async move {
        let read = pass(payload, &pieces, pause).await;
        // Told before the call fails because of it.
        let _nobody_asks = ended.send(read);
        if read != Outcome::Whole {
            // So that the backend sees it break off, and does not take the part for the whole.
            let _no_longer_wanted = pieces.send(Err(io::Error::other("the client's body broke off"))).await;
        }
    });
    let body = stream::unfold(taken, async |mut taken| Some((taken.recv().await?, taken)));
    Upload { body: reqwest::Body::wrap_stream(body), outcome }
}

async fn pass(mut payload: web::Payload, pieces: &mpsc::Sender<io::Result<Bytes>>, pause: Duration) -> Outcome {
    loop {
        match tokio::time::timeout(pause, payload.next()).await {
            Err(_) => return Outcome::TooSlow,
            Ok(None) => return Outcome::Whole,
            Ok(Some(Err(_))) => return Outcome::Broken,
            Ok(Some(Ok(piece))) => {
                if pieces.send(Ok(piece)).await.is_err() {
                    return Outcome::Whole;
                }
            }
        }
    }
}
