//! FlashERP's own words can repeat what we sent. Before they become part of an error, our credentials are taken out and they are cut to a
//! length that a row and a log line bear.

use secrecy::{ExposeSecret, SecretString};

const MAX_CHARS: usize = 500;
const HIDDEN: &str = "[hidden]";

/// The credentials that must not be repeated.
pub(crate) struct Redactor(Vec<SecretString>);

impl Redactor {
    pub(crate) fn new(secrets: impl IntoIterator<Item = SecretString>) -> Self {
        Self(secrets.into_iter().filter(|secret| !secret.expose_secret().is_empty()).collect())
    }

    /// The text without credentials and control characters, at most 500 characters.
    pub(crate) fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            text = text.replace(secret.expose_secret(), HIDDEN);
        }
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_CHARS).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_taken_out_before_the_text_is_cut() {
        let redactor = Redactor::new(["sk_live_4711", ""].map(SecretString::from));
        assert_eq!(redactor.clean("unknown key sk_live_4711\u{0}!"), "unknown key [hidden] !");
        let long = format!("{}sk_live_4711", "x".repeat(495));
        let cleaned = redactor.clean(&long);
        assert_eq!(cleaned.chars().count(), 500);
        assert!(!cleaned.contains("sk_l"));
    }
}
