//! Who may come in: what every request must look like, whose pages may call, and whose token it is, from a header or a cookie.

mod cookie;
mod credentials;
mod csrf;
mod guard;
mod headers;
mod origin;

pub(crate) use cookie::{cleared, session_cookie};
pub(crate) use credentials::{Caller, caller};
pub(crate) use csrf::csrf_token;
pub(crate) use guard::guard;
pub(crate) use origin::{Origin, is_from_own_page, is_secure};
