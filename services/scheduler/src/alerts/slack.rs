//! A notice to Slack's incoming webhook.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::text::Notice;

/// How long a notice may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Slack's incoming webhook.
#[derive(Debug)]
pub(crate) struct Slack {
    client: reqwest::Client,
    /// Whoever has it can write to the channel.
    url: SecretString,
}

impl Slack {
    /// # Errors
    /// No HTTP client can be made.
    pub(crate) fn new(url: SecretString) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(TIMEOUT)
            .timeout(TIMEOUT)
            .build()?;
        Ok(Self { client, url })
    }

    /// Sends it. The error is in words without the URL.
    pub(crate) async fn send(&self, notice: &Notice) -> Result<(), String> {
        let body = json!({"text": format!("{}\n{}", escaped(&notice.headline()), escaped(&notice.lines()))});
        let sent = self.client.post(self.url.expose_secret()).json(&body).send().await;
        match sent {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("Slack answers {}", answer.status().as_u16())),
            Err(error) => Err(format!("Slack can't be reached: {}", error.without_url())),
        }
    }
}

/// As Slack wants the three characters that it reads as its own.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
