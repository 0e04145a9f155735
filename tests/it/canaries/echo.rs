//! A FlashERP, and a Stripe, that repeat what they were sent: credentials in error messages, codes, ids, pages, headers and redirects.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// As if all were well and nothing there.
    Well,
    /// An error of FlashERP's with this status, the echo in message, code, details and request id.
    Error(u16),
    /// A page of somebody's proxy, with this status.
    Html(u16),
    /// To an address that carries the echo.
    Redirect,
    /// 200, and JSON that breaks off.
    Garbage,
    /// 200, and JSON of no known shape.
    Strange,
    /// 200 with the echo for the record's id.
    AsId,
    /// Headers that no client takes.
    Headers,
    /// Nothing.
    Cut,
}

pub(super) const MANNERS: [Manner; 17] = [
    Manner::Error(400),
    Manner::Error(401),
    Manner::Error(403),
    Manner::Error(404),
    Manner::Error(409),
    Manner::Error(422),
    Manner::Error(429),
    Manner::Error(500),
    Manner::Error(503),
    Manner::Html(200),
    Manner::Html(502),
    Manner::Redirect,
    Manner::Garbage,
    Manner::Strange,
    Manner::AsId,
    Manner::Headers,
    Manner::Cut,
];

/// The running server.
pub(super) struct Echo {
    pub(super) port: u16,
    manner: Arc<Mutex<Manner>>,
}

impl Echo {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let manner = Arc::new(Mutex::new(Manner::Well));
        let shared = Arc::clone(&manner);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let manner = *shared.lock().unwrap_or_else(PoisonError::into_inner);
                tokio::spawn(async move { serve(stream, manner).await });
            }
        });
        Self { port, manner }
    }

    pub(super) fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap_or_else(PoisonError::into_inner) = manner;
    }
}

/// One request to a connection.
async fn serve(mut stream: TcpStream, manner: Manner) -> Option<()> {
    let request = read(&mut stream).await?;
    let answer = answer(manner, &request);
    // The client may be gone.
    let _sent = stream.write_all(answer.as_bytes()).await;
    let _closed = stream.shutdown().await;
    Some(())
}

struct Request {
    path: String,
    /// Everything that was sent and could be repeated.
    echo: String,
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let (head, body) = loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = header(head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                break (head.to_owned(), body.to_owned());
            }
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(read @ 1..) => bytes.extend_from_slice(&piece[..read]),
            _ => return None,
        }
    };
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let credentials = ["authorization", "x-api-secret"].into_iter().filter_map(|name| header(&head, name));
    let email = body.split('"').find(|word| word.contains('@')).unwrap_or_default();
    let words: Vec<_> = credentials.flat_map(str::split_whitespace).chain([email]).collect();
    Some(Request { path, echo: words.join(" ") })
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn answer(manner: Manner, Request { path, echo }: &Request) -> String {
    let json = |status: u16, body: &str| {
        format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nX-Echo: {echo}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    match manner {
        Manner::Well if path.starts_with("/stripe") => json(200, r#"{"object":"list","data":[],"has_more":false,"url":"/"}"#),
        Manner::Well if path.ends_with("/health") => json(200, r#"{"status":"ok","capabilities":["idempotency-key","updated-since"]}"#),
        Manner::Well if path.contains('?') => json(200, r#"{"data":[],"nextCursor":null}"#),
        Manner::Well => json(404, r#"{"code":"RESOURCE_NOT_FOUND","message":"there is none"}"#),
        Manner::Error(status) => json(
            status,
            &serde_json::json!({
                "code": echo, "message": format!("wrong credentials {echo} were sent"), "requestId": echo,
                "details": [{"field": echo, "issue": echo}],
                "error": {"type": "invalid_request_error", "code": echo, "message": format!("Invalid API Key provided: {echo}")},
            })
            .to_string(),
        ),
        Manner::Html(status) => {
            let body = format!("<html><body>Bad Gateway for {echo}</body></html>");
            format!(
                "HTTP/1.1 {status} X\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            )
        }
        Manner::Redirect => format!(
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/?was={}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            echo.replace(' ', "+")
        ),
        Manner::Garbage => json(200, &format!("{{\"id\": \"{echo}\", \"data\": [")),
        Manner::Strange => json(200, &serde_json::json!({ echo.as_str(): echo, "status": echo }).to_string()),
        Manner::AsId => json(200, &serde_json::json!({"id": echo, "status": echo, "nextCursor": echo, "data": [{"id": echo}]}).to_string()),
        Manner::Headers => format!("HTTP/1.1 200 OK\r\n{echo}\u{1}: {echo}\r\n\r\n"),
        Manner::Cut => String::new(),
    }
}
