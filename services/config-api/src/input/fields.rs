//! The members of a JSON body or the parameters of a query, read one by one; everything that is wrong is noted, so that the caller is told
//! of all of it at once. What nobody has asked for when the reading is done is unknown, and wrong too. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use secrecy::SecretString;
use serde_json::Value;
use service::http::Detail;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::json::below;

/// The longest text where nothing else is said, in characters.
const LONGEST_TEXT: usize = 2_000;

/// What a handler asks for in a body or a query.
pub trait FromFields: Sized {
    /// Reads it. What is wrong is noted in `fields`; whatever is returned then is dropped.
    fn read(fields: &mut Fields) -> Self;
}

/// For what takes no parameters, or no members.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl FromFields for Nothing {
    fn read(_: &mut Fields) -> Self {
        Self
    }
}

/// A value as it came: a query knows only text.
#[derive(Debug)]
enum Given {
    Text(String),
    Json(Value),
}

/// What was given and not read yet, and what was found wrong so far.
#[derive(Debug)]
pub struct Fields {
    path: String,
    given: BTreeMap<String, Given>,
    issues: Vec<Detail>,
}

impl Fields {
    /// Of a query string.
    pub fn of_query(query: &str) -> Self {
        let mut fields = Self { path: String::new(), given: BTreeMap::new(), issues: Vec::new() };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if fields.given.insert(name.clone().into_owned(), Given::Text(value.into_owned())).is_some() {
                fields.wrong(&name, "is there twice");
            }
        }
        fields
    }

    /// Of a JSON document.
    pub fn of_json(document: Value) -> Self {
        let mut fields = Self { path: String::new(), given: BTreeMap::new(), issues: Vec::new() };
        fields.take_members("body", document);
        fields
    }

    fn take_members(&mut self, name: &str, value: Value) {
        match value {
            Value::Object(members) => {
                self.given = members.into_iter().map(|(name, value)| (name, Given::Json(value))).collect();
            }
            _ => self.wrong(name, "must be a JSON object"),
        }
    }

    /// Reads a whole `T`.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn read<T: FromFields>(mut self) -> Result<T, Vec<Detail>> {
        let read = T::read(&mut self);
        self.end();
        if self.issues.is_empty() { Ok(read) } else { Err(self.issues) }
    }

    fn end(&mut self) {
        for (name, _) in std::mem::take(&mut self.given) {
            self.wrong(&name, "is not known here");
        }
    }

    /// Notes that a member is wrong; `issue` goes on after its name: "must be ...".
    pub fn wrong(&mut self, name: &str, issue: impl Into<String>) {
        self.issues.push(Detail { field: below(&self.path, name), issue: issue.into() });
    }

    /// Whether it was given and is still to be read.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// A text of 1 to 2,000 characters.
    pub fn text(&mut self, name: &str) -> Option<String> {
        self.text_of(name, 1..=LONGEST_TEXT)
    }

    /// A text of so many characters. PostgreSQL keeps no NUL in a text, and nobody means one.
    pub fn text_of(&mut self, name: &str, length: RangeInclusive<usize>) -> Option<String> {
        let text = match self.given.remove(name)? {
            Given::Text(text) | Given::Json(Value::String(text)) => text,
            Given::Json(_) => return self.refuse(name, "must be a string"),
        };
        if text.contains('\0') {
            return self.refuse(name, "must not hold a NUL character");
        }
        if !length.contains(&text.chars().count()) {
            let (least, most) = (length.start(), length.end());
            return self.refuse(name, format!("must have {least} to {most} characters"));
        }
        Some(text)
    }

    /// A text that nothing may show.
    pub fn secret(&mut self, name: &str) -> Option<SecretString> {
        self.text(name).map(SecretString::from)
    }

    /// `true` or `false`.
    pub fn flag(&mut self, name: &str) -> Option<bool> {
        match self.given.remove(name)? {
            Given::Json(Value::Bool(flag)) => Some(flag),
            Given::Text(text) if text == "true" || text == "false" => Some(text == "true"),
            _ => self.refuse(name, "must be true or false"),
        }
    }

    /// A whole number within bounds.
    pub fn integer(&mut self, name: &str, bounds: RangeInclusive<i64>) -> Option<i64> {
        let number = match self.given.remove(name)? {
            Given::Json(value) => value.as_i64(),
            // i64 would take `+5`, which no number in JSON is.
            Given::Text(text) => text.parse().ok().filter(|_| !text.starts_with('+')),
        };
        match number.filter(|number| bounds.contains(number)) {
            Some(number) => Some(number),
            None => self.refuse(name, format!("must be a whole number from {} to {}", bounds.start(), bounds.end())),
        }
    }

    /// A UUID.
    pub fn uuid(&mut self, name: &str) -> Option<Uuid> {
        let text = self.text(name)?;
        match Uuid::try_parse(&text) {
            Ok(id) => Some(id),
            Err(_) => self.refuse(name, "must be a UUID"),
        }
    }

    /// A list of UUIDs, none of them twice, from one to so many.
    pub fn uuids(&mut self, name: &str, most: usize) -> Option<Vec<Uuid>> {
        let Given::Json(Value::Array(items)) = self.given.remove(name)? else {
            return self.refuse(name, "must be a list of UUIDs");
        };
        let read: Option<BTreeSet<Uuid>> =
            items.iter().map(|item| item.as_str().and_then(|text| Uuid::try_parse(text).ok())).collect();
        match read {
            Some(read) if !items.is_empty() && items.len() <= most && read.len() == items.len() => {
                Some(read.into_iter().collect())
            }
            _ => self.refuse(name, format!("must be a list of 1 to {most} UUIDs, none of them twice")),
        }
    }

    /// A time, RFC 3339, within the years that PostgreSQL and JSON both can write.
    pub fn time(&mut self, name: &str) -> Option<OffsetDateTime> {
        let text = self.text(name)?;
        let time = OffsetDateTime::parse(&text, &Rfc3339).ok();
        // By the year in UTC, as it is kept: an offset can move it out of what can be written.
        let utc = time.and_then(|time| time.checked_to_offset(time::UtcOffset::UTC));
        match utc.filter(|utc| (1..=9999).contains(&utc.year())) {
            Some(utc) => Some(utc),
            None => self.refuse(name, "must be a time like 2026-01-31T12:00:00Z"),
        }
    }

    /// One of the values that have a name.
    pub fn one_of<T: Copy>(&mut self, name: &str, values: &[(&str, T)]) -> Option<T> {
        let text = self.text(name)?;
        match named(&text, values) {
            Some(value) => Some(value),
            None => self.refuse(name, must_be_one_of(values)),
        }
    }

    /// Some of the values that have a name, none of them twice, at least one: in a body a list, in a query separated by commas.
    pub fn some_of<T: Copy>(&mut self, name: &str, values: &[(&str, T)]) -> Option<Vec<T>> {
        let texts: Option<Vec<String>> = match self.given.remove(name)? {
            Given::Text(text) => Some(text.split(',').map(ToOwned::to_owned).collect()),
            Given::Json(Value::Array(items)) => {
                items.into_iter().map(|item| item.as_str().map(ToOwned::to_owned)).collect()
            }
            Given::Json(_) => return self.refuse(name, "must be a list"),
        };
        let found: Option<Vec<T>> =
            texts.as_deref().and_then(|texts| texts.iter().map(|text| named(text, values)).collect());
        let twice = texts.is_some_and(|texts| {
            texts.iter().enumerate().any(|(at, text)| texts.iter().take(at).any(|before| before == text))
        });
        match found {
            Some(_) if twice => self.refuse(name, "names something twice"),
            Some(found) if !found.is_empty() => Some(found),
            _ => self.refuse(name, must_be_one_of(values)),
        }
    }

    /// An object within the body.
    pub fn object<T: FromFields>(&mut self, name: &str) -> Option<T> {
        let value = match self.given.remove(name)? {
            Given::Json(value @ Value::Object(_)) => value,
            _ => return self.refuse(name, "must be a JSON object"),
        };
        let mut inner = Self { path: below(&self.path, name), given: BTreeMap::new(), issues: Vec::new() };
        inner.take_members(name, value);
        let read = T::read(&mut inner);
        inner.end();
        let fine = inner.issues.is_empty();
        self.issues.append(&mut inner.issues);
        fine.then_some(read)
    }

    fn refuse<T>(&mut self, name: &str, issue: impl Into<String>) -> Option<T> {
        self.wrong(name, issue);
        None
    }
}

fn named<T: Copy>(text: &str, values: &[(&str, T)]) -> Option<T> {
    values.iter().find(|(name, _)| *name == text).map(|(_, value)| *value)
}

fn must_be_one_of<T>(values: &[(&str, T)]) -> String {
    let names: Vec<_> = values.iter().map(|(name, _)| *name).collect();
    format!("must be of: {}", names.join(", "))
}

#[cfg(test)]
mod tests;
