//! The description of the admin API, OpenAPI 3.1: made from the handlers, kept in `proto-schemas/admin-api.json`, checked for drift. What other
//! services answer on the same origin, and what the gateway answers for those behind it, is in it too.

use std::path::Path;

use actix_web::App;
use service::http::{Detail, ErrorBody};
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi as _};
use utoipa_actix_web::AppExt as _;

use crate::routes;

mod elsewhere;
mod requests;

/// The file within `proto-schemas`.
pub const FILE: &str = "admin-api.json";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "UpCoach FlashERP admin API",
        description = "Configuration, state and history of what keeps UpCoach and FlashERP in step. Errors are all of one shape; \
            unknown parameters and fields are refused; times are RFC 3339 in UTC. Whatever the path, a request may be answered with 400 (the \
            path is not in its plain spelling), 404, 405 (with `Allow`) or 431 (the headers are larger than 16 KiB). `/api/sandbox/*`, \
            there only where a sandbox runs, hands on to its control API, which is for development and no part of this description.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/")),
    components(schemas(ErrorBody, Detail)),
    security(("bearer" = []), ("session" = [])),
    modifiers(&SignIn),
)]
struct Described;

/// How a caller says who it is.
struct SignIn;

impl Modify for SignIn {
    fn modify(&self, api: &mut OpenApi) {
        let components = api.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let session =
            ApiKeyValue::with_description("erp_session", "the panel's; changing calls also need its CSRF token");
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)));
    }
}

/// The whole description.
#[must_use]
pub fn document() -> OpenApi {
    let mut api = of_this_service();
    requests::describe(&mut api);
    api.merge(elsewhere::described());
    for (path, item) in &mut api.paths.paths {
        let behind = Behind::of(path);
        operations_of(item).for_each(|operation| add_common_answers(operation, behind));
    }
    api
}

/// What this service itself answers.
#[must_use]
pub fn of_this_service() -> OpenApi {
    let app = App::new().into_utoipa_app().openapi(Described::openapi()).configure(routes::described);
    app.split_for_parts().1
}

/// All operations of all paths.
fn operations(api: &mut OpenApi) -> impl Iterator<Item = &mut Operation> {
    api.paths.paths.values_mut().flat_map(operations_of)
}

fn operations_of(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten()
}

/// Who answers, behind the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behind {
    /// The gateway itself.
    Nobody,
    Ingress,
    ConfigApi,
}

impl Behind {
    fn of(path: &str) -> Self {
        match path {
            path if path.starts_with("/api/auth/") => Self::Nobody,
            path if path.starts_with("/api/webhooks/") => Self::Ingress,
            _ => Self::ConfigApi,
        }
    }
}

/// What an operation may answer beside its own: the service's, and the gateway's before it.
fn add_common_answers(operation: &mut Operation, behind: Behind) {
    let has_body = operation.request_body.is_some();
    let guarded = !operation.security.as_ref().is_some_and(|needed| needed.contains(&SecurityRequirement::default()));
    let (ours, senders) = (behind == Behind::ConfigApi, behind == Behind::Ingress && has_body);
    let handed_on = behind != Behind::Nobody;
    let refusals = [
        ("400", "A parameter or field is unknown or wrong; `details` names each", ours),
        ("400", "The body is no event", senders),
        ("401", "No valid token", ours && guarded),
        ("401", "No valid signature", senders),
        ("403", "The role does not allow it", ours && guarded),
        ("408", "The body did not arrive in time", has_body),
        ("413", "The body has more than 1 MiB", has_body),
        ("415", "The body is not JSON", ours && has_body),
        ("415", "The body has a Content-Encoding", senders),
        ("429", "Too many requests; `Retry-After` says when to try again", guarded || senders),
        ("500", "A fault of ours; the log has it under the `requestId`", ours),
        ("503", "Not available at the moment; `Retry-After` says when to try again", handed_on),
        (
            "504",
            "The service behind has not answered in time; see what became of the request before you send it again",
            handed_on,
        ),
    ];
    for (status, description, may_come) in refusals {
        if may_come {
            let answers = &mut operation.responses.responses;
            let RefOr::T(answer) = answers.entry(status.to_owned()).or_insert_with(|| RefOr::T(refusal(description)))
            else {
                continue;
            };
            if matches!(status, "429" | "503") {
                answer.headers.insert("Retry-After".to_owned(), RefOr::T(retry_after()));
            }
        }
    }
}

fn retry_after() -> Header {
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).build();
    HeaderBuilder::new().description(Some("Seconds, where it is a matter of time")).schema(Some(seconds)).build()
}

fn refusal(description: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Error"))).build();
    ResponseBuilder::new().description(description).content("application/json", content).build()
}

/// The description as the file has it.
#[must_use]
pub fn text() -> String {
    let mut text = document().to_pretty_json().expect("a description holds only strings, numbers, lists and maps");
    text.push('\n');
    text
}

/// Writes the file into a folder.
///
/// # Errors
/// It can't be written.
pub fn write(folder: &Path) -> std::io::Result<()> {
    std::fs::write(folder.join(FILE), text())
}

/// Whether the file is what the handlers say.
///
/// # Errors
/// It can't be read.
pub fn is_current(folder: &Path) -> std::io::Result<bool> {
    Ok(std::fs::read_to_string(folder.join(FILE))? == text())
}
