//! Only a token that holds is let in, and only where its role may go.

mod key_set;
mod matrix;
mod settings;

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};
use service::Context;
use service::auth::{Admin, Settings, Verifier, Viewer};
use service::http::bind;
use service::settings::{self as table, Env, Mistakes};
use testkit::tokens;

use crate::kit::{client, context_without_database};

/// What these variables, and the issuer and audience of tests, say.
fn read(pairs: &[(&str, &str)]) -> Result<Settings, Mistakes> {
    let rest = tokens::environment().into_iter().filter(|(name, _)| *name != "AUTH_JWT_SECRET");
    let all: Vec<(&str, &str)> = rest.chain(pairs.iter().copied()).collect();
    table::read(Env::from_pairs(service::Binary::ConfigApi, all), Settings::read)
}

/// A server with a route for viewers and one for admins.
struct Server {
    context: Context,
    base: String,
    running: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Server {
    fn start(verifier: &Verifier) -> Self {
        let context = context_without_database();
        let verifier = verifier.clone();
        let routes = move |config: &mut web::ServiceConfig| {
            let read = |caller: Viewer| async move { HttpResponse::Ok().json(json!({"subject": caller.subject})) };
            let write = |caller: Admin| async move { HttpResponse::Ok().json(json!({"subject": caller.subject})) };
            verifier.configure(config);
            config
                .service(web::resource("/read").route(web::get().to(read)))
                .service(web::resource("/write").route(web::post().to(write)));
        };
        let bound = bind(&context, routes).expect("binds");
        let base = format!("http://{}", bound.address());
        let serving = context.clone();
        let running = tokio::spawn(async move { bound.run(&serving).await });
        Self { context, base, running }
    }

    /// Status and body for a caller who sends these `Authorization` headers, reading and writing.
    async fn ask(&self, authorization: &[&str]) -> [(u16, Value); 2] {
        let requests = [client().get(format!("{}/read", self.base)), client().post(format!("{}/write", self.base))];
        let answers = requests.map(|request| async {
            let request = authorization.iter().fold(request, |request, value| request.header("Authorization", *value));
            let answer = request.send().await.expect("an answer");
            let status = answer.status().as_u16();
            assert_eq!(answer.headers().contains_key("www-authenticate"), status == 401);
            (status, answer.json().await.expect("JSON"))
        });
        let [read, write] = answers;
        [read.await, write.await]
    }

    async fn statuses(&self, token: &str) -> [u16; 2] {
        self.ask(&[&format!("Bearer {token}")]).await.map(|(status, _)| status)
    }

    async fn stop(self) {
        self.context.shutdown.cancel();
        self.running.await.expect("no panic").expect("an orderly end");
    }
}
