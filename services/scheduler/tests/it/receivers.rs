//! Who is told of alerts: a Slack that takes its webhook's requests, and what it and the mail server have got.

use serde_json::Value;
use testkit::smtp::Mail;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A Slack that answers as it is told.
pub(crate) async fn slack(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST")).and(path("/hook")).respond_with(answer).mount(&server).await;
    server
}

/// What Slack was told, in order: the first line of each.
pub(crate) async fn told(slack: &MockServer) -> Vec<String> {
    let requests = slack.received_requests().await.unwrap_or_default();
    requests
        .iter()
        .map(|request| {
            let body: Value = serde_json::from_slice(&request.body).expect("JSON");
            body["text"].as_str().expect("a text").lines().next().unwrap_or_default().to_owned()
        })
        .collect()
}

/// A header of a mail.
fn header(mail: &Mail, name: &str) -> String {
    let line = mail
        .text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap_or_else(|| panic!("no {name} in {}", mail.text));
    line.trim().to_owned()
}

pub(crate) fn message_id(mail: &Mail) -> String {
    header(mail, "Message-ID:")
}

pub(crate) fn subject(mail: &Mail) -> String {
    header(mail, "Subject:")
}
