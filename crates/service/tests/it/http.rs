//! Every answer carries its request id and the security headers, every error the one body.

use actix_web::{HttpResponse, web};
use domain::ErrorCode;
use serde::Deserialize;
use serde_json::{Value, json};
use service::Context;
use service::http::{ApiError, RequestId, bind};
use uuid::Uuid;

use crate::kit::{client, context_without_database};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    page: u32,
}

fn routes(config: &mut web::ServiceConfig) {
    let id = |id: RequestId| async move { HttpResponse::Ok().json(json!({"id": id, "uuid": id.uuid()})) };
    let wish = |wish: web::Json<Wish>| async move { wish.into_inner().name };
    let bytes = |bytes: web::Bytes| async move { bytes.len().to_string() };
    let page = |page: web::Query<Page>| async move { page.page.to_string() };
    let by_id = |id: web::Path<Uuid>| async move { id.to_string() };
    config
        .service(web::resource("/id").route(web::get().to(id)))
        .service(web::resource("/wish").route(web::post().to(wish)))
        .service(web::resource("/bytes").route(web::post().to(bytes)))
        .service(web::resource("/page").route(web::get().to(page)))
        .service(web::resource("/by-id/{id}").route(web::get().to(by_id)))
        .service(web::resource("/busy").route(web::get().to(busy)))
        .service(web::resource("/broken").route(web::get().to(broken)));
}

async fn busy() -> Result<HttpResponse, ApiError> {
    let wait = std::time::Duration::from_millis(1_500);
    Err(ApiError::new(ErrorCode::RateLimitExceeded, "wait")
        .retry_after(wait)
        .with_detail("a", "b")
        .with_detail("c", "d"))
}

async fn broken() -> Result<HttpResponse, ApiError> {
    Err(ApiError::internal(anyhow::anyhow!("password=hunter2 at /etc/secret")))
}

/// A running server, and how to talk to it.
struct Server {
    context: Context,
    base: String,
    running: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Server {
    fn start() -> Self {
        let context = context_without_database();
        let bound = bind(&context, routes).expect("binds");
        let base = format!("http://{}", bound.address());
        let serving = context.clone();
        let running = tokio::spawn(async move { bound.run(&serving).await });
        Self { context, base, running }
    }

    fn get(&self, path: &str) -> reqwest::RequestBuilder {
        client().get(format!("{}{path}", self.base))
    }

    fn post(&self, path: &str) -> reqwest::RequestBuilder {
        client().post(format!("{}{path}", self.base))
    }

    async fn stop(self) {
        self.context.shutdown.cancel();
        self.running.await.expect("no panic").expect("an orderly end");
    }
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, String, Value) {
    let answer = request.send().await.expect("an answer");
    let id = answer.headers().get("x-request-id").expect("a request id").to_str().expect("text").to_owned();
    (answer.status().as_u16(), id, answer.json().await.unwrap_or(Value::Null))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sane_request_id_is_taken_over_and_else_one_is_made() {
    let server = Server::start();
    let uuid = Uuid::new_v4();
    for (given, column) in [(uuid.to_string(), uuid), (uuid.simple().to_string(), uuid)] {
        let (_, id, body) = answer(server.get("/id").header("X-Request-Id", &given)).await;
        assert_eq!((id.as_str(), &body["id"], &body["uuid"]), (given.as_str(), &json!(given), &json!(column)));
    }
    let (_, id, body) = answer(server.get("/id").header("X-Request-Id", "req_1:a.b")).await;
    assert_eq!((id.as_str(), &body["id"]), ("req_1:a.b", &json!("req_1:a.b")));
    assert_eq!(body["uuid"], answer(server.get("/id").header("X-Request-Id", "req_1:a.b")).await.2["uuid"]);

    for given in [None, Some("a b"), Some("\"{}"), Some(&*"x".repeat(129)), Some("")] {
        let request = given.into_iter().fold(server.get("/id"), |request, given| request.header("X-Request-Id", given));
        let (_, id, body) = answer(request).await;
        assert!(Uuid::try_parse(&id).is_ok_and(|id| id.get_version_num() == 7), "{given:?} gave {id}");
        assert_eq!(body["id"], json!(id));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_has_the_one_body_with_every_detail_and_its_status() {
    let server = Server::start();
    let response = server.get("/busy").header("X-Request-Id", "r-1").send().await.expect("an answer");
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "2");
    let body: Value = response.json().await.expect("JSON");
    let expected = json!({
        "error": "Too Many Requests", "code": "RATE_LIMIT_EXCEEDED", "message": "wait", "requestId": "r-1",
        "details": [{"field": "a", "issue": "b"}, {"field": "c", "issue": "d"}]
    });
    assert_eq!(body, expected);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cause_of_a_fault_of_ours_is_not_told_to_the_client() {
    let server = Server::start();
    let (status, id, body) = answer(server.get("/broken")).await;
    assert_eq!((status, &body["code"], &body["requestId"]), (500, &json!("INTERNAL_ERROR"), &json!(id)));
    assert!(!body.to_string().contains("hunter2") && !body.to_string().contains("/etc"), "{body}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_refuses_by_itself_has_the_same_body() {
    let server = Server::start();
    let large = vec![b'x'; (1 << 20) + 1];
    let large_json = serde_json::to_vec(&json!({"name": "x".repeat(1 << 20)})).expect("JSON");
    let json_type = |request: reqwest::RequestBuilder| request.header("Content-Type", "application/json");
    let cases = [
        (server.get("/nowhere"), 404, "RESOURCE_NOT_FOUND"),
        (server.post("/id"), 405, "INVALID_REQUEST"),
        (server.post("/bytes").body(large), 413, "INVALID_REQUEST"),
        (json_type(server.post("/wish")).body(large_json), 413, "INVALID_REQUEST"),
        (server.post("/wish").body("{}"), 415, "INVALID_REQUEST"),
        (json_type(server.post("/wish")).body("{"), 400, "VALIDATION_ERROR"),
        (json_type(server.post("/wish")).body(r#"{"name": "a", "nmae": "b"}"#), 400, "VALIDATION_ERROR"),
        (server.get("/page?page=x"), 400, "VALIDATION_ERROR"),
        (server.get("/page?page=1&pgae=2"), 400, "VALIDATION_ERROR"),
        (server.get("/by-id/7"), 400, "VALIDATION_ERROR"),
    ];
    for (request, status, code) in cases {
        let what = format!("{request:?}");
        let (found, id, body) = answer(request).await;
        assert_eq!((found, &body["code"], &body["requestId"]), (status, &json!(code), &json!(id)), "{what}: {body}");
        assert!(
            body["details"].is_array() && body["message"].is_string() && body["error"].is_string(),
            "{what}: {body}"
        );
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_just_a_mebibyte_is_taken() {
    let server = Server::start();
    let response = server.post("/bytes").body(vec![b'x'; 1 << 20]).send().await.expect("an answer");
    assert_eq!(response.text().await.expect("text"), (1 << 20).to_string());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_has_the_security_headers() {
    let server = Server::start();
    for path in ["/id", "/broken", "/nowhere"] {
        let response = server.get(path).send().await.expect("an answer");
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ] {
            assert_eq!(
                response.headers().get(name).map(|found| found.as_bytes()),
                Some(value.as_bytes()),
                "{path} {name}"
            );
        }
    }
    server.stop().await;
}
