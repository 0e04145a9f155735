//! The query of a call: every parameter is taken once by whoever knows it; what is left is unknown, and refused as Stripe does.

use super::ApiError;

/// What was asked.
#[derive(Debug, Default)]
pub(super) struct Query {
    given: Vec<(String, String)>,
}

impl Query {
    pub(super) fn parse(text: &str) -> Result<Self, ApiError> {
        let given: Vec<(String, String)> = url::form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        for (nth, (name, _)) in given.iter().enumerate() {
            if !name.ends_with(']') && given.iter().take(nth).any(|(earlier, _)| earlier == name) {
                return Err(ApiError::invalid(name, format!("{name} is given twice")));
            }
        }
        Ok(Self { given })
    }

    /// Takes a parameter.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let place = self.given.iter().position(|(given, _)| given == name)?;
        Some(self.given.remove(place).1)
    }

    /// Takes a list: `name[]` or `name[0]`, `name[1]`, ...
    pub(super) fn take_all(&mut self, name: &str) -> Vec<String> {
        let is_of = |given: &str| {
            let index = given
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('['))
                .and_then(|rest| rest.strip_suffix(']'));
            index.is_some_and(|index| index.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let (taken, left) = std::mem::take(&mut self.given).into_iter().partition(|(given, _)| is_of(given));
        self.given = left;
        let taken: Vec<(String, String)> = taken;
        taken.into_iter().map(|(_, value)| value).collect()
    }

    /// Takes a whole number.
    pub(super) fn take_number(&mut self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.take(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| ApiError::invalid(name, format!("Invalid integer: {text}")))
    }

    /// Nothing may be left.
    pub(super) fn nothing_else(&self) -> Result<(), ApiError> {
        match self.given.first() {
            None => Ok(()),
            Some((name, _)) => Err(ApiError::invalid(name, format!("Received unknown parameter: {name}"))),
        }
    }
}
