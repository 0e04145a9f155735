//! The contract's operations, as one type: routes, faults and counters speak of the same thing.

use crate::schema::Resource;

/// An operation of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `GET /v1/health`
    Health,
    /// `GET /v1/{resource}`
    List(Resource),
    /// `GET /v1/{resource}/{id}`
    Get(Resource),
    /// `POST /v1/{resource}`
    Create(Resource),
    /// `PUT /v1/{resource}/{id}`
    Update(Resource),
    /// `DELETE /v1/subscriptions/{id}`
    Cancel,
    /// Anything else below `/v1`.
    Unknown,
}

impl Endpoint {
    /// Every operation, each once.
    pub fn all() -> Vec<Endpoint> {
        let readable = || Resource::ALL.into_iter().filter(|resource| resource.is_readable());
        let mut all = vec![Endpoint::Health, Endpoint::Cancel, Endpoint::Unknown];
        all.extend(readable().flat_map(|r| [Endpoint::List(r), Endpoint::Get(r), Endpoint::Update(r)]));
        all.extend(Resource::ALL.map(Endpoint::Create));
        all
    }

    /// The HTTP method.
    pub fn method(self) -> &'static str {
        match self {
            Endpoint::Health | Endpoint::List(_) | Endpoint::Get(_) => "GET",
            Endpoint::Create(_) => "POST",
            Endpoint::Update(_) => "PUT",
            Endpoint::Cancel => "DELETE",
            Endpoint::Unknown => "*",
        }
    }

    /// The collection it is about, if any.
    pub fn resource(self) -> Option<Resource> {
        match self {
            Endpoint::Health | Endpoint::Unknown => None,
            Endpoint::List(resource)
            | Endpoint::Get(resource)
            | Endpoint::Create(resource)
            | Endpoint::Update(resource) => Some(resource),
            Endpoint::Cancel => Some(Resource::Subscriptions),
        }
    }

    /// The path below `/v1`, with `{id}` in a record's place.
    pub fn path(self) -> String {
        match self {
            Endpoint::Health => "/health".into(),
            Endpoint::List(resource) | Endpoint::Create(resource) => format!("/{}", resource.path()),
            Endpoint::Get(resource) | Endpoint::Update(resource) => format!("/{}/{{id}}", resource.path()),
            Endpoint::Cancel => "/subscriptions/{id}".into(),
            Endpoint::Unknown => "/*".into(),
        }
    }

    /// `POST /v1/customers`: how counters name it.
    pub fn label(self) -> String {
        format!("{} /v1{}", self.method(), self.path())
    }

    /// Whether a call of it changes something.
    pub fn is_write(self) -> bool {
        matches!(self, Endpoint::Create(_) | Endpoint::Update(_) | Endpoint::Cancel)
    }
}
