//! An endpoint that takes webhooks: over real HTTP, keeping what came.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, http::StatusCode, http::header::HeaderMap, web};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What an endpoint makes of a try: keeps what it wants to know in `S` and answers a status.
pub(crate) trait Take<S>: Fn(&mut S, &HeaderMap, &[u8]) -> u16 + Send + Sync + 'static {}

impl<S, F: Fn(&mut S, &HeaderMap, &[u8]) -> u16 + Send + Sync + 'static> Take<S> for F {}

/// The endpoint, and what it has seen.
pub(crate) struct Endpoint<S> {
    address: SocketAddr,
    seen: Arc<Mutex<S>>,
}

struct Data<S> {
    seen: Arc<Mutex<S>>,
    take: Box<dyn Take<S>>,
}

impl<S: Default + Send + 'static> Endpoint<S> {
    pub(crate) fn start(take: impl Take<S>) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), take)
    }

    /// At this address.
    pub(crate) fn start_at(address: SocketAddr, take: impl Take<S>) -> Self {
        let seen = Arc::new(Mutex::new(S::default()));
        let data = web::Data::new(Data { seen: Arc::clone(&seen), take: Box::new(take) });
        let server =
            HttpServer::new(move || App::new().app_data(data.clone()).route("/hook", web::post().to(answer::<S>)));
        let server = server.workers(1).disable_signals().bind(address).unwrap();
        let address = *server.addrs().first().unwrap();
        tokio::spawn(server.run());
        Self { address, seen }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, S> {
        self.seen.lock().unwrap()
    }
}

async fn answer<S: 'static>(request: HttpRequest, body: web::Bytes, data: web::Data<Data<S>>) -> HttpResponse {
    let status = (data.take)(&mut data.seen.lock().unwrap(), request.headers(), &body);
    HttpResponse::build(StatusCode::from_u16(status).unwrap()).finish()
}

/// The header's text; it must be there.
pub(crate) fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap().to_owned()
}

/// HMAC-SHA256 of `<timestamp>.<body>`, in hex: what both senders sign with, computed apart from the sandbox.
pub(crate) fn signature(secret: &str, timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}
