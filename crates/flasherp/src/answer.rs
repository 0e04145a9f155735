//! An answer of HTTP, read to its end but never beyond the cap: no answer can fill the memory, packed or not.

use std::time::Duration;

use domain::retry;
use reqwest::{
    Response,
    header::{HeaderMap, HeaderName, RETRY_AFTER},
};
use time::OffsetDateTime;

use crate::error::{CallError, CallResult};

/// When the window of a rate limit is over, in unix seconds.
const RATE_LIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Status, body, and how long we are asked to wait.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) async fn read(mut response: Response, max_bytes: usize) -> CallResult<Self> {
        let status = response.status().as_u16();
        let retry_after = wait_asked_for(status, response.headers());
        let waiting = |error: CallError| CallError { retry_after, ..error };

        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > max_bytes => {
                    let message = format!("FlashERP's answer is longer than {max_bytes} bytes");
                    return Err(waiting(CallError::unreadable(status, message)));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => {
                    return Ok(Self { status, retry_after, body });
                }
                Err(error) => return Err(waiting(CallError::transport(error, Some(status)))),
            }
        }
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..=299).contains(&self.status)
    }

    /// What the body looks like, for a message: never its content.
    pub(crate) fn looks_like(&self) -> &'static str {
        let start = self.body.trim_ascii_start();
        match start.first() {
            None => "nothing",
            Some(b'<') => "an HTML page",
            Some(b'{' | b'[') => "JSON of another form",
            Some(_) => "text of another form",
        }
    }
}

/// By `Retry-After`; who turns us away without one we can read may have said when the window of its limit is over.
fn wait_asked_for(status: u16, headers: &HeaderMap) -> Option<Duration> {
    let now = OffsetDateTime::now_utc();
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    text(RETRY_AFTER)
        .and_then(|value| retry::retry_after(value, now))
        .or_else(|| if status == 429 { retry::until_reset(text(RATE_LIMIT_RESET)?, now) } else { None })
}
