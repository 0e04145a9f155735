//! Reads an environment whole, so that a wrong one is mended in one go instead of one start per mistake.
//!
//! Each getter takes a [`Setting`] of the table, notes what is wrong with its value, and gives a stand-in so that reading goes on;
//! [`read`] hands the result out only when nothing was wrong, so no stand-in ever reaches a service. An empty value counts as unset.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use domain::upcoach::UpcoachMode;
use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

use super::mistakes::{Mistake, Mistakes};
use super::setting::{Kind, Need, Setting};
use super::{table, unknown};
use crate::Binary;

/// An environment being read, with the mistakes found so far.
pub struct Env {
    binary: Binary,
    values: BTreeMap<String, String>,
    mistakes: Vec<Mistake>,
}

/// Reads a whole configuration.
///
/// # Errors
/// All mistakes at once: those that `read_config` met, and every unknown variable that looks like one of ours.
pub fn read<C>(mut env: Env, read_config: impl FnOnce(&mut Env) -> C) -> Result<C, Mistakes> {
    let config = read_config(&mut env);
    env.finish().map(|()| config)
}

impl Env {
    /// The process's own environment.
    #[must_use]
    pub fn from_process(binary: Binary) -> Self {
        let mut env = Self::from_pairs(binary, std::iter::empty::<(String, String)>());
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else {
                continue;
            };
            match value.into_string() {
                Ok(value) => {
                    env.values.insert(name, value);
                }
                Err(_) if table::ALL.iter().any(|setting| setting.name == name) => {
                    env.mistakes.push(Mistake { name, problem: "is not UTF-8; write plain text".into() });
                }
                Err(_) => {}
            }
        }
        env
    }

    /// A given environment, for tests and for a stack that starts services.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(
        binary: Binary,
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let values = pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { binary, values, mistakes: Vec::new() }
    }

    /// Whose environment this is.
    #[must_use]
    pub fn binary(&self) -> Binary {
        self.binary
    }

    /// Whether this binary reads the setting at all.
    #[must_use]
    pub fn has(&self, setting: &Setting) -> bool {
        setting.read_by.contains(&self.binary)
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// All mistakes found, and every unknown variable that looks like one of ours.
    pub fn finish(mut self) -> Result<(), Mistakes> {
        for (name, value) in &self.values {
            if !unknown::is_unknown(name, value, table::ALL) {
                continue;
            }
            let problem = match unknown::suggestion(name, table::ALL) {
                Some(meant) => format!("is not known; did you mean {meant}?"),
                None => "is not known; remove it, or see the README's table for the names there are".to_owned(),
            };
            self.mistakes.push(Mistake { name: name.clone(), problem });
        }
        if self.mistakes.is_empty() {
            Ok(())
        } else {
            Err(Mistakes { binary: self.binary.name(), list: self.mistakes })
        }
    }

    /// Notes a mistake that only the caller can see, say two settings that exclude each other. `problem` says what to write
    /// instead, and must not repeat a secret's value.
    pub fn mistake(&mut self, setting: &Setting, problem: impl Into<String>) {
        self.mistakes.push(Mistake { name: setting.name.to_owned(), problem: problem.into() });
    }

    /// A value of the caller's own kind; `parse` says what to write instead when it can't take it, without repeating the value.
    pub fn parsed<T>(
        &mut self,
        setting: &Setting,
        stand_in: impl FnOnce() -> T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        self.opt_parsed(setting, parse).unwrap_or_else(stand_in)
    }

    /// As [`Env::parsed`], for a setting that may be unset.
    pub fn opt_parsed<T>(&mut self, setting: &Setting, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.value(setting)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.mistake(setting, problem);
                None
            }
        }
    }

    pub fn text(&mut self, setting: &Setting) -> String {
        self.value(setting).unwrap_or_default()
    }

    pub fn opt_text(&mut self, setting: &Setting) -> Option<String> {
        self.value(setting)
    }

    pub fn secret(&mut self, setting: &Setting) -> SecretString {
        self.opt_secret(setting).unwrap_or_default()
    }

    /// A secret; one that is a URL must be one, which is checked without repeating it.
    pub fn opt_secret(&mut self, setting: &Setting) -> Option<SecretString> {
        match setting.kind {
            Kind::Url => self.checked(setting, |text| hierarchical(text).map(|_| SecretString::from(text))),
            Kind::Urls => self.checked(setting, |text| {
                text.split(',').all(|part| hierarchical(part.trim()).is_some()).then(|| SecretString::from(text))
            }),
            _ => self.value(setting).map(SecretString::from),
        }
    }

    /// Secrets separated by commas; empty when unset.
    pub fn secrets(&mut self, setting: &Setting) -> Vec<SecretString> {
        self.list(setting).into_iter().map(SecretString::from).collect()
    }

    pub fn url(&mut self, setting: &Setting) -> Url {
        self.opt_url(setting).unwrap_or_else(|| Url::parse("http://invalid.invalid").expect("a constant URL parses"))
    }

    pub fn opt_url(&mut self, setting: &Setting) -> Option<Url> {
        self.checked(setting, hierarchical)
    }

    pub fn socket_addr(&mut self, setting: &Setting) -> SocketAddr {
        self.checked(setting, |text| text.parse().ok()).unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// A number within the setting's range.
    pub fn u64(&mut self, setting: &Setting) -> u64 {
        self.opt_u64(setting).unwrap_or_default()
    }

    pub fn opt_u64(&mut self, setting: &Setting) -> Option<u64> {
        let Kind::Integer { min, max } = setting.kind else {
            debug_assert!(false, "{} is no number in the table of settings", setting.name);
            return None;
        };
        self.checked(setting, |text| text.parse().ok().filter(|value| (min..=max).contains(value)))
    }

    pub fn u32(&mut self, setting: &Setting) -> u32 {
        let value = self.u64(setting);
        u32::try_from(value).unwrap_or_else(|_| {
            self.mistake(setting, format!("must be at most {}", u32::MAX));
            0
        })
    }

    pub fn usize(&mut self, setting: &Setting) -> usize {
        let value = self.u64(setting);
        usize::try_from(value).unwrap_or_else(|_| {
            self.mistake(setting, format!("must be at most {}", usize::MAX));
            0
        })
    }

    /// A number of seconds, or of milliseconds where the setting's unit says so.
    pub fn duration(&mut self, setting: &Setting) -> Duration {
        let value = self.u64(setting);
        if setting.unit == "milliseconds" { Duration::from_millis(value) } else { Duration::from_secs(value) }
    }

    pub fn flag(&mut self, setting: &Setting) -> bool {
        self.opt_flag(setting).unwrap_or_default()
    }

    /// A flag for which unset is not false.
    pub fn opt_flag(&mut self, setting: &Setting) -> Option<bool> {
        self.checked(setting, |text| match text {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        })
    }

    /// Words separated by commas; empty when unset. Where the table names the words there are, each must be one of them.
    pub fn list(&mut self, setting: &Setting) -> Vec<String> {
        let words: Vec<String> = self
            .checked(setting, |text| {
                let words: Vec<_> = text.split(',').map(|word| word.trim().to_owned()).collect();
                let allowed = match setting.kind {
                    Kind::Choice(allowed) | Kind::Choices(allowed) => {
                        words.iter().all(|word| allowed.contains(&word.as_str()))
                    }
                    _ => true,
                };
                (allowed && words.iter().all(|word| !word.is_empty())).then_some(words)
            })
            .unwrap_or_default();
        words
    }

    /// One of the words that the table names.
    pub fn choice(&mut self, setting: &Setting) -> String {
        let Kind::Choice(words) = setting.kind else {
            debug_assert!(false, "{} is no choice in the table of settings", setting.name);
            return String::new();
        };
        self.checked(setting, |text| words.contains(&text).then(|| text.to_owned())).unwrap_or_default()
    }

    /// `UPCOACH_MODE`.
    pub fn upcoach_mode(&mut self) -> UpcoachMode {
        self.choice(&table::UPCOACH_MODE).parse().unwrap_or_default()
    }

    /// Networks separated by commas, a bare address being a network of one; empty when unset.
    pub fn networks(&mut self, setting: &Setting) -> Vec<IpNet> {
        self.checked(setting, |text| {
            text.split(',')
                .map(str::trim)
                .map(|part| part.parse().ok().or_else(|| part.parse::<IpAddr>().ok().map(IpNet::from)))
                .collect::<Option<Vec<_>>>()
        })
        .unwrap_or_default()
    }

    pub fn opt_path(&mut self, setting: &Setting) -> Option<PathBuf> {
        self.value(setting).map(PathBuf::from)
    }

    /// Parses by the setting's own kind; what it can't take is told in the table's words.
    fn checked<T>(&mut self, setting: &Setting, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        self.opt_parsed(setting, |text| {
            parse(text).ok_or_else(|| {
                let expected = setting.expected();
                // A URL that can't be read may hold a password all the same.
                if setting.secret || text.contains('@') {
                    format!("its value (not shown here) can't be used; write {expected}")
                } else {
                    format!("`{text}` can't be used; write {expected}")
                }
            })
        })
    }

    /// The value as text, trimmed: the given one, else the default; `None` when there is neither, which is a mistake if it is
    /// required.
    fn value(&mut self, setting: &Setting) -> Option<String> {
        debug_assert!(
            self.has(setting),
            "the table of settings does not list {} among {}'s",
            setting.name,
            self.binary
        );
        if let Some(given) = self.values.get(setting.name).map(|value| value.trim()).filter(|value| !value.is_empty()) {
            return Some(given.to_owned());
        }
        match setting.need {
            Need::Required => {
                // A setting may be read twice; it is missing once.
                if !self.mistakes.iter().any(|mistake| mistake.name == setting.name) {
                    self.mistake(setting, format!("is missing; set it to {}", setting.expected()));
                }
                None
            }
            Need::Optional => None,
            Need::Default(value) => Some(value.to_owned()),
            Need::OwnAddress if setting.name == table::MANAGEMENT_ADDR.name => {
                self.binary.default_management_addr().map(|address| address.to_string())
            }
            Need::OwnAddress => self.binary.default_http_addr().map(|address| address.to_string()),
        }
    }
}

/// A URL that leads somewhere: `postgres:erp` parses too, and has neither host nor path. (`postgres:///erp?host=/run/postgresql` has
/// no host by right.)
fn hierarchical(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| !url.cannot_be_a_base())
}
