//! Stripe's API as far as we need it: what has happened (`GET /v1/events`), and what an object is now. Read only, so a process that dies in the
//! middle of a call leaves nothing behind, and every failed try may be repeated.
//!
//! What it promises:
//!
//! * **Bodies stay as they came**: events and objects are handed on as their JSON text, so that they take the same path as a webhook's.
//! * **One call is one verdict** ([`StripeError`]): tries, pauses and `Retry-After` up to 10 s are inside it; what is longer is told.
//! * **The key leaves only as a header**; no error, log or debug output holds it. Redirects and proxies are not followed.

mod attempts;
mod client;
mod config;
mod error;
mod events;
mod list;
mod objects;

pub use client::{BuildError, Client, Options};
pub use config::from_env;
pub use error::StripeError;
pub use events::EventsQuery;
pub use list::Page;
pub use objects::ObjectKind;
