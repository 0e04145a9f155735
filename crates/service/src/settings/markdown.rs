//! The README's table of environment variables, written from the code that reads them, so that the two can't drift apart.

use std::fmt::Write as _;

use super::setting::{Kind, Need, Setting};
use super::table;

/// The table as Markdown, with a newline at its end.
#[must_use]
pub fn markdown_table() -> String {
    let mut out = String::from("| variable | default | values | read by | what it does |\n|---|---|---|---|---|\n");
    for setting in table::ALL {
        let _infallible = writeln!(
            out,
            "| `{}` | {} | {} | {} | {} |",
            setting.name,
            default(setting),
            values(setting),
            readers(setting),
            setting.doc.trim()
        );
    }
    out
}

const BEGIN: &str = "<!-- settings:begin -->";
const END: &str = "<!-- settings:end -->";

/// The README's markers for the table are missing.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the README has no `<!-- settings:begin -->` followed by `<!-- settings:end -->`")]
pub struct NoMarkers;

/// The README with the table between its markers as the code has it.
///
/// # Errors
/// [`NoMarkers`].
pub fn in_readme(readme: &str) -> Result<String, NoMarkers> {
    let (before, rest) = readme.split_once(BEGIN).ok_or(NoMarkers)?;
    let (_, after) = rest.split_once(END).ok_or(NoMarkers)?;
    Ok(format!("{before}{BEGIN}\n\n{}\n{END}{after}", markdown_table()))
}

fn default(setting: &Setting) -> String {
    match setting.need {
        Need::Required => "**required**".into(),
        Need::Optional => "unset".into(),
        Need::Default(value) => format!("`{value}`"),
        Need::OwnAddress => "see Ports".into(),
    }
}

fn values(setting: &Setting) -> String {
    let what = match setting.kind {
        Kind::Text => "text".into(),
        Kind::Url => "URL".into(),
        Kind::Urls => "URLs, comma-separated".into(),
        Kind::SocketAddr => "`address:port`".into(),
        Kind::Integer { min, max } => format!("{min} to {max}"),
        Kind::Flag => "`true`, `false`".into(),
        Kind::Choice(words) => format!("`{}`", words.join("` or `")),
        Kind::Choices(words) => format!("`{}`", words.join("`, `")),
        Kind::List => "comma-separated".into(),
        Kind::Networks => "networks, comma-separated".into(),
        Kind::Path => "path".into(),
    };
    let unit = if setting.unit.is_empty() { String::new() } else { format!(" {}", setting.unit) };
    let secret = if setting.secret { ", secret" } else { "" };
    format!("{what}{unit}{secret}")
}

fn readers(setting: &Setting) -> String {
    if setting.read_by.is_empty() {
        return "none yet".into();
    }
    setting.read_by.iter().map(|binary| binary.name()).collect::<Vec<_>>().join(", ")
}
