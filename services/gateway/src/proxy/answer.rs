//! A backend's answer on its way to the caller, piece by piece as it comes.
//!
//! What breaks off, stands still or runs for too long is broken off towards the caller too, so that a part is never taken for the whole. A
//! stream of events has no whole: it just ends, when its caller's token does or the gateway stops, and the client opens it again.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use actix_web::body::{BodyStream, BoxBody, SizedStream};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::headers::comes_back;

type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>>>>;

/// How long an answer may go on.
pub(crate) struct Lifetime {
    pub(crate) until: Instant,
    /// The backend may say nothing for so long.
    pub(crate) silence: Duration,
    /// Streams of events end with it; other answers are finished.
    pub(crate) shutdown: CancellationToken,
}

/// The caller's answer to be, from the backend's.
pub(crate) fn answer(from: reqwest::Response, to_head: bool, lifetime: Lifetime) -> HttpResponse {
    let status = StatusCode::from_u16(from.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut builder = HttpResponse::build(status);
    copy_headers(from.headers(), &mut builder);
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return builder.finish();
    }
    let length = from.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let is_events =
        from.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let pieces: Pieces = if to_head { Box::pin(stream::empty()) } else { pieces(from, is_events, lifetime) };
    match length {
        Some(length) => builder.body(BoxBody::new(SizedStream::new(length, pieces))),
        None => builder.body(BoxBody::new(BodyStream::new(pieces))),
    }
}

fn copy_headers(from: &HeaderMap, to: &mut HttpResponseBuilder) {
    for (name, value) in from {
        if !comes_back(name.as_str(), from) {
            continue;
        }
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        let value = HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            to.append_header((name, value));
        }
    }
}

fn pieces(from: reqwest::Response, is_events: bool, lifetime: Lifetime) -> Pieces {
    let Lifetime { until, silence, shutdown } = lifetime;
    let from = from.bytes_stream().boxed();
    let pieces = stream::unfold(Some(from), move |from| async move {
        let mut from = from?;
        let silent = Instant::now() + silence;
        match tokio::time::timeout_at(until.min(silent), from.next()).await {
            Ok(piece) => piece.map(|piece| (piece.map_err(io::Error::other), Some(from))),
            Err(_) if is_events => None,
            Err(_) => Some((Err(io::ErrorKind::TimedOut.into()), None)),
        }
    });
    if is_events { Box::pin(pieces.take_until(shutdown.cancelled_owned())) } else { Box::pin(pieces) }
}
