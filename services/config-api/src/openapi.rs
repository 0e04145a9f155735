//! The description of the admin API, OpenAPI 3.1: made from the handlers, kept in `proto-schemas/admin-api.json`, checked for drift.

use std::path::Path;

use actix_web::App;
use service::http::{Detail, ErrorBody};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi as _};
use utoipa_actix_web::AppExt as _;

use crate::routes;

mod requests;

/// The file within `proto-schemas`.
pub const FILE: &str = "admin-api.json";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "UpCoach FlashERP admin API",
        description = "Configuration, state and history of what keeps UpCoach and FlashERP in step. Errors are all of one shape; \
            unknown parameters and fields are refused; times are RFC 3339 in UTC.",
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
    let app = App::new().into_utoipa_app().openapi(Described::openapi()).configure(routes::described);
    let (_, mut api) = app.split_for_parts();
    operations(&mut api).for_each(add_common_answers);
    requests::describe(&mut api);
    api
}

/// All operations of all paths.
fn operations(api: &mut OpenApi) -> impl Iterator<Item = &mut Operation> {
    let items = api.paths.paths.values_mut();
    items.flat_map(|item| [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete]).flatten()
}

/// What every operation may answer beside its own.
fn add_common_answers(operation: &mut Operation) {
    let has_body = operation.request_body.is_some();
    let open = operation.security.as_ref().is_some_and(|needed| !needed.is_empty());
    let refusals = [
        ("400", "A parameter or field is unknown or wrong; `details` names each", true),
        ("401", "No valid token", !open),
        ("403", "The role does not allow it", !open),
        ("408", "The body did not arrive in time", has_body),
        ("413", "The body has more than 1 MiB", has_body),
        ("415", "The body is not JSON", has_body),
        ("429", "Too many requests; `Retry-After` says when to try again", true),
        ("500", "A fault of ours; the log has it under the `requestId`", true),
        ("503", "Not available at the moment; `Retry-After` says when to try again", true),
    ];
    for (status, description, may_come) in refusals {
        if may_come {
            let answers = &mut operation.responses.responses;
            answers.entry(status.to_owned()).or_insert_with(|| RefOr::T(refusal(description)));
        }
    }
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
