//! A client for a server on loopback, ordinary answers, and a server that misbehaves below HTTP.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use domain::RequestId;
use flasherp::{Call, Client, IdempotencyKey, Options};
use secrecy::SecretString;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use url::Url;
use uuid::Uuid;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

pub(crate) const API_KEY: &str = "key_4711_very_secret";
pub(crate) const API_SECRET: &str = "shh_0815_more_secret";
pub(crate) const REQUEST: Uuid = uuid::uuid!("0189d7c2-0f4b-7a31-9c55-6d2f6f0f7d99");
pub(crate) const RECORD: &str = r#"{"id":"txn_1","createdAt":"2026-11-24T09:30:00.000Z","updatedAt":"2026-11-24T09:30:00.000Z","amount":10.90,"currency":"USD"}"#;

pub(crate) fn options(base_url: &str) -> Options {
    Options {
        allow_private: true,
        pause: Duration::from_millis(1),
        connect_timeout: Duration::from_secs(5),
        ..Options::new(
            Url::parse(base_url).expect("a URL"),
            SecretString::from(API_KEY),
            SecretString::from(API_SECRET),
        )
    }
}

pub(crate) fn client(base_url: &str) -> Client {
    Client::new(options(base_url)).expect("a client")
}

pub(crate) fn call() -> Call {
    Call::new(RequestId(REQUEST))
}

pub(crate) fn key(honoured: bool) -> IdempotencyKey {
    IdempotencyKey { key: "create:0189d7c2-0f4b-7a31-9c55-6d2f6f0f7d11:0".to_owned(), honoured }
}

pub(crate) fn body() -> Bytes {
    Bytes::from_static(br#"{"amount":10.90,"currency":"USD"}"#)
}

pub(crate) fn json(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(body, "application/json")
}

/// FlashERP's own error.
pub(crate) fn own_error(status: u16, code: &str) -> ResponseTemplate {
    json(status, &format!(r#"{{"code":"{code}","message":"no","requestId":"r-1"}}"#))
}

/// A proxy's page.
pub(crate) fn html(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw("<html><body>Sorry</body></html>", "text/html")
}

/// A server that always answers the same.
pub(crate) async fn always(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

/// A server that answers one after the other, and the last one ever after.
pub(crate) async fn in_turn(answers: impl IntoIterator<Item = ResponseTemplate>) -> MockServer {
    let server = MockServer::start().await;
    let answers: Vec<ResponseTemplate> = answers.into_iter().collect();
    let last = answers.len() - 1;
    for (turn, answer) in answers.into_iter().enumerate() {
        let mock = Mock::given(any()).respond_with(answer);
        let mock = if turn == last { mock } else { mock.up_to_n_times(1) };
        mock.mount(&server).await;
    }
    server
}

pub(crate) async fn requests(server: &MockServer) -> usize {
    server.received_requests().await.expect("requests are recorded").len()
}

/// What the bare server does with a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    /// Closes without reading.
    Refuse,
    /// Reads the request, then resets the connection.
    ResetAfterRequest,
    /// Reads the request, then closes without a word.
    CloseAfterRequest,
    /// Reads the request and never answers.
    Silence,
    /// Never reads, never answers.
    Deaf,
    /// Sends these bytes at once and listens to nothing.
    Blurt(&'static str),
    /// Reads the request and sends these bytes, then closes.
    Say(&'static str),
}

/// A server that does the same to every connection and keeps the requests it read.
pub(crate) struct BareServer {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl BareServer {
    pub(crate) async fn start(trouble: Trouble) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                kept.extend(misbehave(stream, trouble, &hears).await);
            }
        });
        Self { address, heard, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("nobody panics with it").clone()
    }
}

impl Drop for BareServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Returns the stream when it is to stay open.
async fn misbehave(mut stream: TcpStream, trouble: Trouble, heard: &Mutex<Vec<String>>) -> Option<TcpStream> {
    match trouble {
        Trouble::Refuse => return None,
        Trouble::Deaf => return Some(stream),
        Trouble::Blurt(bytes) => {
            stream.write_all(bytes.as_bytes()).await.expect("the client listens");
            return Some(stream);
        }
        _ => {}
    }
    let request = read_request(&mut stream).await;
    heard.lock().expect("nobody panics with it").push(request);
    match trouble {
        Trouble::Silence => return Some(stream),
        Trouble::ResetAfterRequest => stream.set_zero_linger().expect("a TCP option"),
        Trouble::Say(bytes) => stream.write_all(bytes.as_bytes()).await.expect("the client listens"),
        Trouble::Refuse | Trouble::Deaf | Trouble::Blurt(_) | Trouble::CloseAfterRequest => {}
    }
    None
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return text,
            Ok(read) => bytes.extend_from_slice(&piece[..read]),
        }
    }
}
