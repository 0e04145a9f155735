//! Named points at which a process can be told to die, for tests of what a death right there leaves behind.
//!
//! `service::failpoint!("outbound.after_claim")` is nothing at all unless this crate is built with its feature `failpoints`, which only the
//! system tests ask for: their `dev-dependencies` name it, so `cargo build --workspace --all-targets` (what `./justw test` does) builds the
//! programs with it, and a build without test targets (`cargo build --bins`, `--release`, an image's) without. A program without it refuses to
//! start when `ERP_FAILPOINT` is set, as it does with any setting that it does not know.
//!
//! `ERP_FAILPOINT=outbound.after_claim:3` aborts the process when it comes to that point for the third time; without a number at the first.
//! The process dies as by `kill -9`: nothing is flushed, no destructor runs.

/// The process dies here when it was told to (see [`crate::failpoints`]).
#[cfg(feature = "failpoints")]
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        $crate::failpoints::reached($name)
    };
}

/// Nothing: this build has no failpoints.
#[cfg(not(feature = "failpoints"))]
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {};
}

/// The variable that names the point.
#[cfg(feature = "failpoints")]
pub(crate) const VARIABLE: &str = "ERP_FAILPOINT";

/// Dies if this is the point and the time.
#[cfg(feature = "failpoints")]
pub fn reached(name: &str) {
    use std::sync::atomic::Ordering;

    let Some(fatal) = named() else { return };
    if fatal.name == name && fatal.passes.fetch_add(1, Ordering::Relaxed) + 1 == fatal.fatal_pass {
        // To people: whoever reads the log is to know that this death was ordered.
        eprintln!("failpoint {name}: the process dies here, as told");
        std::process::abort();
    }
}

#[cfg(feature = "failpoints")]
struct Fatal {
    name: String,
    fatal_pass: u64,
    passes: std::sync::atomic::AtomicU64,
}

#[cfg(feature = "failpoints")]
fn named() -> Option<&'static Fatal> {
    static NAMED: std::sync::OnceLock<Option<Fatal>> = std::sync::OnceLock::new();
    NAMED.get_or_init(|| std::env::var(VARIABLE).ok().map(|text| parse(&text))).as_ref()
}

#[cfg(feature = "failpoints")]
fn parse(text: &str) -> Fatal {
    let (name, pass) = match text.rsplit_once(':') {
        Some((name, pass)) => (name, pass.parse().unwrap_or(1)),
        None => (text, 1),
    };
    Fatal { name: name.to_owned(), fatal_pass: pass, passes: std::sync::atomic::AtomicU64::new(0) }
}

#[cfg(all(test, feature = "failpoints"))]
mod tests {
    use super::parse;

    #[test]
    fn a_point_is_named_with_or_without_the_time_at_which_it_kills() {
        for (text, name, pass) in [("a.b", "a.b", 1), ("a.b:3", "a.b", 3)] {
            let fatal = parse(text);
            assert_eq!((fatal.name.as_str(), fatal.fatal_pass), (name, pass));
        }
    }

    #[test]
    fn a_point_that_is_not_named_is_passed() {
        crate::failpoint!("nobody.named_this");
    }
}
