//! Paths that mean one thing to whoever reads them.
//!
//! The gateway decides by a path who may call, and a service behind it decides by the same path what is done. A path that one of them would
//! read as another (by decoding, by leaving out `..` or a second slash) is refused, so that there is no difference to make use of. Pure.

use percent_encoding::percent_decode_str;

/// Whether a path, as it stands in the request, is in its one canonical spelling.
pub(crate) fn is_plain(path: &str) -> bool {
    let Some(inner) = path.strip_prefix('/') else { return false };
    let mut segments = inner.split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        // Only the end may be empty: `/`, `/api/docs/`.
        if (segment.is_empty() && !is_last) || !is_plain_segment(segment) {
            return false;
        }
    }
    true
}

fn is_plain_segment(segment: &str) -> bool {
    if segment == "." || segment == ".." || segment.contains('\\') {
        return false;
    }
    let escapes = segment.match_indices('%').map(|(at, _)| segment.get(at..at + 3).unwrap_or_default());
    escapes.into_iter().all(is_needed_escape)
}

/// `%20`, `%C3`: of a byte that can't stand there as it is. Not of letters, digits or dots, nor of anything that separates.
fn is_needed_escape(escape: &str) -> bool {
    let mut decoded = percent_decode_str(escape);
    let (Some(byte), None) = (decoded.next(), decoded.next()) else { return false };
    let separates = matches!(byte, b'/' | b'\\' | b'?' | b'#' | b'%');
    let needs_none = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    !(separates || needs_none || byte.is_ascii_control())
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn plain_paths_pass() {
        for path in [
            "/",
            "/api/erp/config",
            "/api/docs/",
            "/assets/index-4f5a.js",
            "/api/erp/sync/transaction/0193b7d2-7f5c-7000-8000-000000000001",
            "/a%20b",
            "/%C3%A4",
            "/a:b@c;d=e,f",
            "/.well-known/x",
            "/a..b",
            "/...",
        ] {
            assert!(is_plain(path), "{path}");
        }
    }

    #[test]
    fn what_one_reader_may_take_for_another_path_is_refused() {
        for path in [
            "",
            "*",
            "api/erp",
            "//api/erp/config",
            "/api//erp/config",
            "/api/erp//",
            "/api/erp/../sandbox/reset",
            "/api/./erp",
            "/api/erp/..",
            "/api/erp/%2e%2e/sandbox",
            "/api/erp/%2E/config",
            "/api/erp%2fconfig",
            "/api/erp/%2Fconfig",
            "/api/erp\\..\\sandbox",
            "/api/erp/%5c",
            "/api/%65rp/config",
            "/api/erp/%00",
            "/api/erp/%0d%0aX-Role:%20admin",
            "/api/erp/%7f",
            "/api/erp/%",
            "/api/erp/%2",
            "/api/erp/%zz",
            "/api/erp/%252e%252e",
            "/api/erp/a%3fb",
            "/api/erp/a%23b",
        ] {
            assert!(!is_plain(path), "{path}");
        }
    }
}
