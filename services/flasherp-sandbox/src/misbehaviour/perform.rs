//! Carries a call out under a verdict. A write whose time comes later runs as a task of its own: that its caller has gone does not stop
//! it, as FlashERP's would not be stopped. A task that outlives a reset of the sandbox does nothing.

use std::{
    convert::Infallible,
    sync::{Arc, PoisonError},
    time::Duration,
};

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use bytes::Bytes;
use futures::{StreamExt, stream};
use time::{format_description::BorrowedFormatItem, macros::format_description};
use tokio::time::sleep;

use super::{Action, FaultBody, RetryAfter, Verdict};
use crate::{
    api::{self, ApiError, Call, Code, Reply},
    connection::Connection,
    sandbox::Sandbox,
    schema::Resource,
    store::RecordId,
};

const LEAVING: Duration = Duration::from_millis(20);

/// How a call ended.
#[derive(Debug)]
pub enum Outcome {
    /// With this answer.
    Answered(HttpResponse),
    /// Without one.
    Cut,
}

/// Carries `call` out.
pub async fn perform(sandbox: &Arc<Sandbox>, call: Call, verdict: Verdict, connection: Option<&Connection>) -> Outcome {
    let Verdict { mut before, mut after, action } = verdict;
    if let Some(action) = &action {
        sandbox.counters.fault(action.name());
    }
    match action {
        Some(Action::Status { status, body, code, retry_after, after_write }) => {
            if !after_write {
                sleep(before.saturating_add(after)).await;
            } else if carry_out(sandbox, call, before, after).await.is_none() {
                return cut(connection);
            }
            return Outcome::Answered(fault(status, body, code, retry_after));
        }
        Some(Action::CutBeforeWrite) => {
            sleep(before).await;
            return cut(connection);
        }
        Some(Action::LateWrite { delay_ms }) => {
            // Begun before the cut: a caller that has seen the cut finds the write pending.
            drop(begin(sandbox, call, Duration::from_millis(delay_ms)));
            return cut(connection);
        }
        Some(Action::CutAfterWrite) => {
            carry_out(sandbox, call, before, after).await;
            return cut(connection);
        }
        Some(Action::Delay { before_ms, after_ms }) => {
            before = before.saturating_add(Duration::from_millis(before_ms));
            after = after.saturating_add(Duration::from_millis(after_ms));
        }
        Some(Action::CutInBody | Action::SlowBody { .. } | Action::GarbageBody | Action::ChangeWhilePaged { .. })
        | None => {}
    }
    let resource = call.endpoint.resource();
    let Some(reply) = carry_out(sandbox, call, before, after).await else { return cut(connection) };
    if let (Some(Action::ChangeWhilePaged { records, fields }), Some(resource)) = (&action, resource) {
        change_some(sandbox, resource, *records, fields);
    }
    Outcome::Answered(match action {
        Some(Action::CutInBody) => cut_in_body(&reply),
        Some(Action::SlowBody { chunk_bytes, pause_ms }) => {
            slow_body(&reply, chunk_bytes, Duration::from_millis(pause_ms))
        }
        Some(Action::GarbageBody) => json_response(&Reply { body: Bytes::from_static(b"<\x00 not json {"), ..reply }),
        _ => json_response(&reply),
    })
}

/// An answer as the contract has it.
pub fn json_response(reply: &Reply) -> HttpResponse {
    let mut response = HttpResponse::build(status(reply.status));
    response.content_type("application/json");
    if reply.is_replay {
        response.insert_header(("Idempotent-Replayed", "true"));
    }
    response.body(reply.body.clone())
}

/// Waits, lets the call take effect, waits. `None`: the sandbox was reset meanwhile, and the call never takes effect.
async fn carry_out(sandbox: &Arc<Sandbox>, call: Call, before: Duration, after: Duration) -> Option<Reply> {
    let reply = match before.is_zero() {
        true => Some(api::answer(sandbox, &call)),
        false => begin(sandbox, call, before).await.ok().flatten(),
    };
    sleep(after).await;
    reply
}

/// Lets the call take effect after `delay`, whether or not somebody waits for it.
fn begin(sandbox: &Arc<Sandbox>, call: Call, delay: Duration) -> tokio::task::JoinHandle<Option<Reply>> {
    let sandbox = Arc::clone(sandbox);
    let epoch = sandbox.epoch();
    let pending = call.endpoint.is_write().then(|| sandbox.counters.pending_write());
    tokio::spawn(async move {
        sleep(delay).await;
        let reply = sandbox.unless_reset_since(epoch, || api::answer(&sandbox, &call));
        drop(pending);
        reply
    })
}

/// Changes records by FlashERP's rules for PUT, wherever in the list they are. One that the rules refuse stays as it is.
fn change_some(
    sandbox: &Sandbox,
    resource: Resource,
    records: usize,
    fields: &serde_json::Map<String, serde_json::Value>,
) {
    let body = serde_json::Value::Object(fields.clone()).to_string();
    for _ in 0..records {
        let store = sandbox.store.lock().unwrap_or_else(PoisonError::into_inner);
        let collection = store.of(resource);
        let Some((first, last)) = collection.ends() else { return };
        let drawn = sandbox.misbehaviour.draw(first.number(), last.number());
        let after = drawn.checked_sub(1).map(RecordId::from_number);
        let id = collection.after(after).next().map(|(id, _)| id.render(resource));
        drop(store);
        if let Some(id) = id {
            api::edit(sandbox, resource, &id, body.as_bytes());
        }
    }
}

fn cut(connection: Option<&Connection>) -> Outcome {
    if let Some(connection) = connection {
        connection.cut();
    }
    Outcome::Cut
}

fn status(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn fault(code: u16, body: FaultBody, error: Option<Code>, retry_after: Option<RetryAfter>) -> HttpResponse {
    let mut response = HttpResponse::build(status(code));
    match retry_after {
        Some(RetryAfter::Seconds(seconds)) => response.insert_header((header::RETRY_AFTER, seconds)),
        Some(RetryAfter::DateInSeconds(seconds)) => {
            response.insert_header((header::RETRY_AFTER, http_date_in(seconds)))
        }
        Some(RetryAfter::Text(text)) => response.insert_header((header::RETRY_AFTER, text)),
        None => &mut response,
    };
    match body {
        FaultBody::Empty => response.finish(),
        FaultBody::Html => {
            let title = status(code);
            response.content_type("text/html").body(format!(
                "<html><head><title>{title}</title></head><body><h1>{title}</h1><hr>proxy</body></html>\n"
            ))
        }
        FaultBody::Json => {
            let error = ApiError::new(
                code,
                error.unwrap_or_else(|| Code::of_status(code)),
                "the sandbox was told to fail this call",
            );
            response.content_type("application/json").body(error.reply().body)
        }
    }
}

/// An HTTP date so many seconds ahead of the machine's time; a hundred years at most.
pub(crate) fn http_date_in(seconds: u64) -> String {
    const FORMAT: &[BorrowedFormatItem<'_>] =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    let ahead = i64::try_from(seconds).unwrap_or(i64::MAX).min(100 * 366 * 24 * 60 * 60);
    let at = time::OffsetDateTime::now_utc() + time::Duration::seconds(ahead);
    at.format(FORMAT).unwrap_or_default()
}

fn slow_body(reply: &Reply, chunk_bytes: usize, pause: Duration) -> HttpResponse {
    let chunks: Vec<Bytes> = reply.body.chunks(chunk_bytes).map(Bytes::copy_from_slice).collect();
    let body = stream::iter(chunks).then(move |chunk| async move {
        sleep(pause).await;
        Ok::<_, Infallible>(chunk)
    });
    let mut response = HttpResponse::build(status(reply.status));
    response.content_type("application/json").no_chunking(reply.body.len() as u64).streaming(body)
}

fn cut_in_body(reply: &Reply) -> HttpResponse {
    let half = reply.body.slice(..reply.body.len() / 2);
    // What is written with the end of a connection may never be sent: the half has its time to leave.
    let lost = async {
        sleep(LEAVING).await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))
    };
    let body = stream::once(async { Ok(half) }).chain(stream::once(lost));
    let mut response = HttpResponse::build(status(reply.status));
    response.content_type("application/json").no_chunking(reply.body.len() as u64).streaming(Box::pin(body))
}
