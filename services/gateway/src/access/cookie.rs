//! The session's cookie: the bearer token itself, where no script can read it and no other site can send it.
//!
//! With `Secure` it has the `__Host-` prefix, so that no subdomain and no plain http can set one in its place.

use std::time::Duration;

use actix_web::http::header::{COOKIE, HeaderMap};

const SECURE_NAME: &str = "__Host-erp_session";
const PLAIN_NAME: &str = "erp_session";

const fn name(secure: bool) -> &'static str {
    if secure { SECURE_NAME } else { PLAIN_NAME }
}

/// `Set-Cookie` of a session that ends after `lasts`.
pub(crate) fn session_cookie(token: &str, lasts: Duration, secure: bool) -> String {
    set(token, lasts.as_secs(), secure)
}

/// `Set-Cookie` that ends a session.
pub(crate) fn cleared(secure: bool) -> String {
    set("", 0, secure)
}

fn set(value: &str, max_age: u64, secure: bool) -> String {
    let only_tls = if secure { "; Secure" } else { "" };
    format!("{}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Strict{only_tls}", name(secure))
}

/// The token in the cookie. None when there are two: one of them is not ours, and nobody can tell which.
pub(super) fn token(headers: &HeaderMap, secure: bool) -> Option<&str> {
    let pairs = headers.get_all(COOKIE).filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
    let mut ours = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(key, _)| *key == name(secure));
    let (_, token) = ours.next()?;
    (ours.next().is_none() && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn found(lines: &[&'static str], secure: bool) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_static(line));
        }
        token(&headers, secure).map(str::to_owned)
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        assert_eq!(found(&["a=b; erp_session=t.o.k; c=d"], false).as_deref(), Some("t.o.k"));
        assert_eq!(found(&["a=b", "erp_session=t.o.k"], false).as_deref(), Some("t.o.k"));
        assert_eq!(found(&["__Host-erp_session=t"], true).as_deref(), Some("t"));
    }

    #[test]
    fn what_is_not_just_one_cookie_of_the_right_name_is_none() {
        for lines in [
            &[][..],
            &["erp_session="],
            &["erp_session=a; erp_session=b"],
            &["erp_session=a", "erp_session=b"],
            &["xerp_session=a"],
            &["__Host-erp_session=a"],
        ] {
            assert_eq!(found(lines, false), None, "{lines:?}");
        }
        assert_eq!(found(&["erp_session=a"], true), None, "without TLS anybody on the way can set it");
    }
}
