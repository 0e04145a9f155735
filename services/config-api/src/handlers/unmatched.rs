//! What no route takes: 405 with `Allow` where the path has other methods, else 404.
//!
//! actix asks each route's path and method together, so that a wrong method looks to it like a wrong path.

use actix_web::dev::ResourceDef;
use actix_web::http::header::ALLOW;
use actix_web::{HttpRequest, HttpResponse, web};
use utoipa::openapi::{OpenApi, PathItem};

/// The paths of the API's description, with their methods as `Allow` names them.
pub(crate) struct KnownPaths(Vec<(ResourceDef, String)>);

impl KnownPaths {
    pub(crate) fn of(description: &OpenApi) -> Self {
        let paths = description.paths.paths.iter();
        Self(paths.map(|(path, item)| (ResourceDef::new(path.as_str()), methods(item).join(", "))).collect())
    }

    /// All methods that a path takes, through whichever of its patterns.
    fn allowed(&self, path: &str) -> Option<String> {
        let matching: Vec<_> =
            self.0.iter().filter(|(pattern, _)| pattern.is_match(path)).map(|(_, methods)| methods.as_str()).collect();
        (!matching.is_empty()).then(|| matching.join(", "))
    }
}

fn methods(item: &PathItem) -> Vec<&'static str> {
    let all = [
        ("GET", &item.get),
        ("PUT", &item.put),
        ("POST", &item.post),
        ("PATCH", &item.patch),
        ("DELETE", &item.delete),
    ];
    all.into_iter().filter(|(_, operation)| operation.is_some()).map(|(name, _)| name).collect()
}

pub(crate) async fn answer(request: HttpRequest, known: web::Data<KnownPaths>) -> HttpResponse {
    // The server's outermost layer gives it the body of every error.
    match known.allowed(request.path()) {
        Some(allowed) => HttpResponse::MethodNotAllowed().insert_header((ALLOW, allowed)).finish(),
        None => HttpResponse::NotFound().finish(),
    }
}
