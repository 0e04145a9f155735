//! A notice by mail.

use std::time::Duration;

use lettre::message::{Mailbox, header::ContentType};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use super::text::Notice;

/// How long each step with the mail server may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A mail server, and who writes to whom.
#[derive(Debug)]
pub(crate) struct Email {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Email {
    /// By a mail server of this URL: `smtps://`, or `smtp://`, with `?tls=required` for STARTTLS.
    ///
    /// # Errors
    /// It is no such URL; the words don't repeat it.
    pub(crate) fn new(url: &str, from: Mailbox, to: Vec<Mailbox>) -> Result<Self, String> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .map_err(|_| "must be smtps://user:password@host:port, or smtp://host:port?tls=required".to_owned())?
            .timeout(Some(TIMEOUT))
            .build();
        Ok(Self { transport, from, to })
    }

    /// Sends it. The error is in words.
    pub(crate) async fn send(&self, notice: &Notice) -> Result<(), String> {
        let headline = notice.headline();
        let mut mail = Message::builder()
            .from(self.from.clone())
            .subject(one_line(&headline))
            .message_id(Some(notice.message_id()))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            mail = mail.to(to.clone());
        }
        let mail = mail
            .body(format!("{headline}\n\n{}", notice.lines()))
            .map_err(|error| format!("the mail can't be written: {error}"))?;
        self.transport.send(mail).await.map(|_| ()).map_err(|error| {
            let mut words = format!("the mail server does not take it: {error}");
            if let Some(cause) = std::error::Error::source(&error) {
                words.push_str(&format!(": {cause}"));
            }
            words
        })
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
