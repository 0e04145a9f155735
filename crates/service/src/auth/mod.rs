//! Who calls, and what that person may do: bearer tokens (JWT), checked in the gateway and again in each service behind it.
//!
//! A service reads its [`Settings`], makes one [`Verifier`] of them, and puts it into its routes by [`Verifier::configure`]. A handler then
//! asks for [`Viewer`] (whoever may read) or [`Admin`] (whoever may do everything) among its arguments, and is not called for anybody else:
//! 401 without a token that holds, 403 with the wrong role, 503 while the keys can't be had. Around routes whose arguments can be wrong in other ways
//! goes [`known_callers`], so that nobody else hears of these.
//!
//! A token holds when its signature matches a key of ours under the one algorithm of that key, and `iss`, `aud`, `exp` and `nbf` are all
//! there and say what they must. Nothing is kept about a caller: what dies with the process is only the copy of the keys.

mod extract;
mod jwks;
mod keys;
mod principal;
mod settings;
mod verifier;

pub use extract::{Admin, Viewer, bearer_token, known_callers};
pub use principal::{Principal, Role};
pub use settings::{KeySource, Settings};
pub use verifier::{Refusal, Verifier};
