//! Where traces are exported to: a collector of OTLP over gRPC that keeps what it is sent as it came. Protocol buffers leave texts as they are.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};

/// Bytes of one export at most.
const LARGEST: usize = 64 << 20;

/// Each export, with its headers.
type Exports = Arc<Mutex<Vec<String>>>;

/// The running collector.
pub(super) struct Collector {
    address: SocketAddr,
    exports: Exports,
    handle: ServerHandle,
}

impl Collector {
    pub(super) fn start() -> Self {
        let exports = Exports::default();
        let kept = web::Data::from(Arc::clone(&exports));
        let server = HttpServer::new(move || {
            let limit = web::PayloadConfig::new(LARGEST);
            App::new().app_data(kept.clone()).app_data(limit).default_service(web::to(keep))
        })
        .workers(1)
        .disable_signals()
        .shutdown_timeout(0)
        .bind_auto_h2c("127.0.0.1:0")
        .expect("a free port");
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { address, exports, handle }
    }

    /// For `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that came.
    pub(super) async fn end(self) -> Vec<String> {
        self.handle.stop(false).await;
        std::mem::take(&mut *self.exports.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn keep(request: HttpRequest, body: web::Bytes, exports: web::Data<Mutex<Vec<String>>>) -> HttpResponse {
    let export = format!("{} {:?} {}", request.path(), request.headers(), String::from_utf8_lossy(&body));
    exports.lock().unwrap_or_else(PoisonError::into_inner).push(export);
    // All is well, and nothing to say: an empty answer whose trailer comes with its head.
    HttpResponse::Ok().insert_header(("content-type", "application/grpc")).insert_header(("grpc-status", "0")).finish()
}
