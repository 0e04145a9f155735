//! A service behind the gateway, as a test wants it: tells what reached it, streams when told to, and can be stopped and started again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use bytes::Bytes;
use futures::StreamExt as _;
use serde_json::{Map, Value, json};
use tokio::sync::{Mutex, Notify, mpsc};

/// What the backend's handlers share with the test.
#[derive(Default)]
pub(crate) struct Shared {
    /// Requests that reached it.
    pub(crate) requests: AtomicUsize,
    /// Bytes of an import that it has read.
    pub(crate) imported: AtomicU64,
    /// Imports whose body broke off.
    pub(crate) broken_off: AtomicUsize,
    /// An import reads on when it is told.
    pub(crate) read_on: Notify,
    /// What a stream is to say.
    stream: Mutex<Option<mpsc::UnboundedReceiver<Result<Bytes, std::io::Error>>>>,
}

/// A running backend.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    pub(crate) shared: Arc<Shared>,
    handle: ServerHandle,
    running: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Backend {
    pub(crate) fn start() -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    pub(crate) fn at(address: SocketAddr) -> Self {
        let shared = Arc::new(Shared::default());
        let data = web::Data::from(Arc::clone(&shared));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .app_data(web::PayloadConfig::new(64 << 20))
                .service(web::resource("/api/erp/events").get(events))
                .service(web::resource("/api/erp/export").get(export))
                .service(web::resource("/api/erp/import").post(import))
                .service(web::resource("/api/erp/answer/{status}").to(answer))
                .service(web::resource("/api/erp/hangs").to(std::future::pending::<HttpResponse>))
                .default_service(web::to(echo))
        })
        .workers(1)
        .disable_signals()
        .shutdown_timeout(0)
        .bind(address)
        .expect("a free port");
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        Self { address, shared, handle, running: tokio::spawn(server) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets the test say piece by piece what the next stream says.
    pub(crate) async fn stream(&self) -> mpsc::UnboundedSender<Result<Bytes, std::io::Error>> {
        let (say, said) = mpsc::unbounded_channel();
        *self.shared.stream.lock().await = Some(said);
        say
    }

    /// Ends it at once, as a kill does.
    pub(crate) async fn kill(self) -> SocketAddr {
        self.handle.stop(false).await;
        self.running.await.expect("no panic").expect("an end");
        self.address
    }
}

/// Everything that reached it.
async fn echo(request: HttpRequest, body: Bytes, shared: web::Data<Shared>) -> HttpResponse {
    shared.requests.fetch_add(1, Ordering::SeqCst);
    let mut headers = Map::new();
    for (name, value) in request.headers() {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let all = headers.entry(name.as_str()).or_insert_with(|| json!([]));
        all.as_array_mut().expect("a list").push(Value::String(value));
    }
    HttpResponse::Ok().insert_header(("Set-Cookie", "a=b")).insert_header(("X-Request-Id", "the-backends")).json(
        json!({
            "method": request.method().as_str(), "path": request.uri().path(), "query": request.uri().query(),
            "headers": headers, "body": String::from_utf8_lossy(&body),
        }),
    )
}

/// A status as the path says, with a body that says so and headers of its own.
async fn answer(status: web::Path<u16>) -> HttpResponse {
    let status = StatusCode::from_u16(status.into_inner()).expect("a status");
    HttpResponse::build(status)
        .insert_header(("Location", "http://127.0.0.1:1/elsewhere"))
        .insert_header(("ETag", "\"7\""))
        .insert_header(("Access-Control-Allow-Origin", "*"))
        .insert_header(("Set-Cookie", "a=b"))
        .json(json!({"status": status.as_u16()}))
}

async fn events(shared: web::Data<Shared>) -> HttpResponse {
    streaming(&shared, "text/event-stream").await
}

async fn export(shared: web::Data<Shared>) -> HttpResponse {
    streaming(&shared, "text/csv").await
}

async fn streaming(shared: &Shared, kind: &'static str) -> HttpResponse {
    let said = shared.stream.lock().await.take().expect("the test streams");
    let pieces = futures::stream::unfold(said, async |mut said| Some((said.recv().await?, said)));
    HttpResponse::Ok().content_type(kind).streaming(pieces)
}

/// Reads the first piece, then waits to be told, then reads the rest.
async fn import(mut payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    shared.requests.fetch_add(1, Ordering::SeqCst);
    let mut waited = false;
    while let Some(piece) = payload.next().await {
        let Ok(piece) = piece else {
            shared.broken_off.fetch_add(1, Ordering::SeqCst);
            return HttpResponse::BadRequest().finish();
        };
        shared.imported.fetch_add(piece.len() as u64, Ordering::SeqCst);
        if !std::mem::replace(&mut waited, true) {
            shared.read_on.notified().await;
        }
    }
    HttpResponse::Ok().json(json!({"bytes": shared.imported.load(Ordering::SeqCst)}))
}
