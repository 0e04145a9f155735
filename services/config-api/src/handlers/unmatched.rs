//! What no route takes: 405 with `Allow` where the path has other methods, else 404.
//!
//! actix asks each route's path and method together, so that a wrong method looks to it like a wrong path; and where a pattern fits, too
//! (`/syncs/{id}` fits `/syncs/retry`), the pattern's handler would be asked about an id that was never meant as one.

use actix_web::dev::ResourceDef;
use actix_web::guard::fn_guard;
use actix_web::http::header::ALLOW;
use actix_web::{HttpRequest, HttpResponse, web};
use utoipa::openapi::{OpenApi, PathItem};

/// The paths of the API's description.
pub(crate) struct KnownPaths(Vec<Known>);

struct Known {
    path: String,
    pattern: ResourceDef,
    methods: Vec<&'static str>,
}

impl Known {
    /// Whether it stands for one path alone.
    fn is_spelled_out(&self) -> bool {
        !self.path.contains('{')
    }
}

impl KnownPaths {
    pub(crate) fn of(description: &OpenApi) -> Self {
        let paths = description.paths.paths.iter();
        let known = paths.map(|(path, item)| Known {
            path: path.clone(),
            pattern: ResourceDef::new(path.as_str()),
            methods: methods(item),
        });
        Self(known.collect())
    }

    /// All methods that a path takes: as it is spelled out, else through whichever of the patterns.
    fn allowed(&self, path: &str) -> Option<String> {
        if let Some(known) = self.0.iter().find(|known| known.path == path && known.is_spelled_out()) {
            return Some(known.methods.join(", "));
        }
        let matching = self.0.iter().filter(|known| known.pattern.is_match(path));
        let methods: Vec<_> = matching.flat_map(|known| known.methods.iter().copied()).collect();
        (!methods.is_empty()).then(|| methods.join(", "))
    }

    /// Answers for paths that are spelled out and that a pattern fits, too, when they are asked by a method that they don't take. To be
    /// configured before the patterns are.
    pub(crate) fn configure(&self, config: &mut web::ServiceConfig) {
        let fits = |path: &str| self.0.iter().any(|known| !known.is_spelled_out() && known.pattern.is_match(path));
        for known in self.0.iter().filter(|known| known.is_spelled_out() && fits(&known.path)) {
            let methods = known.methods.clone();
            let other = fn_guard(move |asked| !methods.contains(&asked.head().method.as_str()));
            config.service(web::resource(known.path.as_str()).guard(other).to(answer));
        }
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
