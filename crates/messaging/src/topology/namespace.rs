//! A prefix for subjects and streams, so that tests share a broker without hearing each other.

use events::traffic::Stream;

/// A subject prefix that ends with a dot, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespace {
    prefix: String,
}

/// A text that is no subject prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a subject prefix is empty, or letters, digits, `-` and `_` in parts that each end with a dot")]
pub struct NamespaceError;

impl std::str::FromStr for Namespace {
    type Err = NamespaceError;

    fn from_str(prefix: &str) -> Result<Self, Self::Err> {
        let plain =
            |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        match prefix.strip_suffix('.') {
            Some(parts) if parts.split('.').all(plain) => Ok(Self { prefix: prefix.to_owned() }),
            None if prefix.is_empty() => Ok(Self::default()),
            _ => Err(NamespaceError),
        }
    }
}

impl Namespace {
    /// Whether there is no prefix.
    pub fn is_empty(&self) -> bool {
        self.prefix.is_empty()
    }

    /// The subject with the prefix.
    pub fn subject(&self, subject: &str) -> String {
        format!("{}{subject}", self.prefix)
    }

    /// The subject without the prefix; as it is where it doesn't have it.
    pub fn strip<'a>(&self, subject: &'a str) -> &'a str {
        subject.strip_prefix(self.prefix.as_str()).unwrap_or(subject)
    }

    /// The name of a stream with the prefix, whose dots become underscores (`t1.` makes `t1_SYNC`).
    pub fn stream(&self, stream: Stream) -> String {
        format!("{}{}", self.prefix.replace('.', "_"), stream.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_goes_before_subjects_and_streams() {
        let namespace: Namespace = "t1.".parse().expect("a prefix");
        assert_eq!(namespace.subject("sync.>"), "t1.sync.>");
        assert_eq!(namespace.strip("t1.sync.requested.customer"), "sync.requested.customer");
        assert_eq!(namespace.stream(Stream::Sync), "t1_SYNC");
        assert_eq!(Namespace::default().stream(Stream::Control), "CONTROL");
    }

    #[test]
    fn what_is_no_prefix_is_refused() {
        for text in ["t1", ".", "t1..", "a b.", "*.", ">.", "t1.x"] {
            assert_eq!(text.parse::<Namespace>(), Err(NamespaceError), "{text}");
        }
        assert_eq!("".parse::<Namespace>(), Ok(Namespace::default()));
    }
}
