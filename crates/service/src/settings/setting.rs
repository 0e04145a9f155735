//! What one environment variable is: its kind, whether it must be there, who reads it, and one line about it.

use crate::Binary;

/// What a value has to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Url,
    /// One or more URLs, comma-separated.
    Urls,
    /// `address:port`; port 0 lets the system choose.
    SocketAddr,
    /// A whole number within these bounds, both included.
    Integer {
        min: u64,
        max: u64,
    },
    /// `true`, `false`, `1` or `0`.
    Flag,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Some of these words, comma-separated.
    Choices(&'static [&'static str]),
    /// Any words, comma-separated.
    List,
    /// Addresses or networks, comma-separated: `10.0.0.0/8, 192.168.1.4`.
    Networks,
    /// A path in the file system.
    Path,
}

/// What happens when a variable is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The binary does not start.
    Required,
    /// Something is left out or done otherwise; the line of documentation says what.
    Optional,
    /// This value is taken.
    Default(&'static str),
    /// The binary's own address is taken; see [`Binary::default_http_addr`].
    OwnAddress,
}

/// One environment variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The variable's name.
    pub name: &'static str,
    pub kind: Kind,
    pub need: Need,
    /// Its value must not be repeated anywhere.
    pub secret: bool,
    /// What a number counts: `seconds`, `requests a minute`; empty where there is nothing to say.
    pub unit: &'static str,
    /// A value as one may write it, for whoever wrote a wrong one; empty where the kind says enough.
    pub example: &'static str,
    /// Who reads it. Empty: the name is accepted, and nothing reads it yet.
    pub read_by: &'static [Binary],
    /// One line for the README.
    pub doc: &'static str,
}

impl Setting {
    pub(crate) const fn of(kind: Kind) -> Self {
        Self { name: "", kind, need: Need::Optional, secret: false, unit: "", example: "", read_by: &[], doc: "" }
    }

    pub(crate) const fn named(self, name: &'static str, doc: &'static str) -> Self {
        Self { name, doc, ..self }
    }

    pub(crate) const fn required(self) -> Self {
        Self { need: Need::Required, ..self }
    }

    pub(crate) const fn default(self, value: &'static str) -> Self {
        Self { need: Need::Default(value), ..self }
    }

    pub(crate) const fn own_address(self) -> Self {
        Self { need: Need::OwnAddress, ..self }
    }

    pub(crate) const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    pub(crate) const fn unit(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    pub(crate) const fn like(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    pub(crate) const fn read_by(self, read_by: &'static [Binary]) -> Self {
        Self { read_by, ..self }
    }

    /// What to write, in words: `a whole number from 1 to 100 (seconds)`.
    #[must_use]
    pub fn expected(&self) -> String {
        let unit = if self.unit.is_empty() { String::new() } else { format!(" ({})", self.unit) };
        match self.kind {
            Kind::Text => "some text".into(),
            Kind::Url if self.example.is_empty() => "a URL, like `https://example.com`".into(),
            Kind::Url => format!("a URL, like `{}`", self.example),
            Kind::Urls => format!("one or more URLs separated by commas, like `{}`", self.example),
            Kind::SocketAddr => "an address and a port, like `127.0.0.1:8080`".into(),
            Kind::Integer { min, max: u64::MAX } => format!("a whole number from {min} up{unit}"),
            Kind::Integer { min, max } => format!("a whole number from {min} to {max}{unit}"),
            Kind::Flag => "`true`, `false`, `1` or `0`".into(),
            Kind::Choice(words) => format!("one of `{}`", words.join("`, `")),
            Kind::Choices(words) => format!("one or more of `{}`, separated by commas", words.join("`, `")),
            Kind::List => "values separated by commas".into(),
            Kind::Networks => "addresses or networks separated by commas, like `10.0.0.0/8,192.168.1.4`".into(),
            Kind::Path => "a path".into(),
        }
    }
}
