//! Origins: ours, and those that pages call from.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderMap, ORIGIN};
use url::{Host, Url};

/// Scheme, host and port, as browsers send them in `Origin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// From a URL with nothing behind its port; `None` for anything else, `*` and `null` included.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let is_bare =
            url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        (is_bare && matches!(url.scheme(), "http" | "https")).then(|| Self(url.origin().ascii_serialization()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Host and port, without the scheme's own port: as in `Host`.
    fn authority(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, authority)| authority)
    }
}

/// The `Origin` of a request; the inner `None` for one that is none of ours to know (`null`, two of them).
pub(super) fn of_request(headers: &HeaderMap) -> Option<Option<Origin>> {
    let mut given = headers.get_all(ORIGIN);
    let first = given.next()?;
    let only = if given.next().is_some() { None } else { first.to_str().ok() };
    Some(only.and_then(Origin::parse))
}

/// Whether no other site's page sent this. A program that is no browser says nothing and is believed: it needs no victim's browser.
pub(crate) fn is_from_own_page(request: &HttpRequest, public: Option<&Origin>) -> bool {
    let headers = request.headers();
    let from_here = match of_request(headers) {
        None => true,
        Some(None) => false,
        Some(Some(origin)) => match public {
            Some(public) => origin == *public,
            // Behind whatever ends TLS the scheme is not known here; the host is.
            None => host(headers).is_some_and(|host| host.eq_ignore_ascii_case(origin.authority())),
        },
    };
    let said = headers.get("sec-fetch-site").map(|site| site.as_bytes());
    from_here && said.is_none_or(|site| matches!(site, b"same-origin" | b"none"))
}

/// Whether cookies of this request's origin can be for TLS alone: everywhere but on plain http to this machine itself.
pub(crate) fn is_secure(request: &HttpRequest, public: Option<&Origin>) -> bool {
    match public {
        Some(public) => public.is_https() || !is_loopback(public.authority()),
        None => !host(request.headers()).is_some_and(is_loopback),
    }
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(HOST)?.to_str().ok()
}

fn is_loopback(authority: &str) -> bool {
    let url = Url::parse(&format!("http://{authority}/")).ok();
    match url.as_ref().and_then(Url::host) {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn request(headers: &[(&'static str, &'static str)]) -> HttpRequest {
        headers.iter().fold(TestRequest::default(), |request, header| request.append_header(*header)).to_http_request()
    }

    fn origin(text: &str) -> Origin {
        Origin::parse(text).expect("an origin")
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        assert_eq!(origin("https://ERP.example.com:443"), origin("https://erp.example.com/"));
        for text in ["null", "*", "", "erp.example.com", "https://a/b", "https://a?b", "https://u@a", "file:///"] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_our_own_pages_and_programs_pass() {
        let host = ("host", "erp.example.com");
        let own = [
            request(&[host]),
            request(&[host, ("origin", "https://erp.example.com")]),
            request(&[host, ("origin", "https://erp.example.com"), ("sec-fetch-site", "same-origin")]),
            request(&[host, ("sec-fetch-site", "none")]),
        ];
        let others = [
            request(&[host, ("origin", "https://evil.example.com")]),
            request(&[host, ("origin", "https://erp.example.com.evil.net")]),
            request(&[host, ("origin", "https://erp.example.com:8443")]),
            request(&[host, ("origin", "null")]),
            request(&[host, ("origin", "https://erp.example.com"), ("origin", "https://evil.example.com")]),
            request(&[host, ("sec-fetch-site", "cross-site")]),
            request(&[host, ("sec-fetch-site", "same-site")]),
            request(&[("origin", "https://erp.example.com")]),
        ];
        for public in [None, Some(origin("https://erp.example.com"))] {
            assert!(own.iter().all(|request| is_from_own_page(request, public.as_ref())));
        }
        assert!(others.iter().all(|request| !is_from_own_page(request, None)));
        let public = origin("https://erp.example.com");
        let elsewhere = request(&[("host", "evil.example.com"), ("origin", "https://evil.example.com")]);
        assert!(!is_from_own_page(&elsewhere, Some(&public)));
    }

    #[test]
    fn cookies_are_for_tls_everywhere_but_on_this_machine() {
        for host in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080"] {
            assert!(!is_secure(&request(&[("host", host)]), None), "{host}");
        }
        for host in ["erp.example.com", "localhost.example.com", "127.0.0.1.example.com", "10.0.0.1:80"] {
            assert!(is_secure(&request(&[("host", host)]), None), "{host}");
        }
        let local = request(&[("host", "localhost")]);
        assert!(is_secure(&local, Some(&origin("https://localhost"))));
        assert!(is_secure(&local, Some(&origin("http://erp.example.com"))));
        assert!(!is_secure(&local, Some(&origin("http://localhost:8080"))));
    }
}
