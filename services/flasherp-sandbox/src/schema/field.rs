//! What one field of a record may hold, and how an accepted value is written from then on (FlashERP's own spelling of it).

use serde_json::value::RawValue;

use super::{document::Document, instant, text};

/// A field of a record type.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its JSON name.
    pub name: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// Whether a record can't be without it.
    pub is_required: bool,
    /// The JSON text it has when it isn't given, if any.
    pub default: Option<&'static str>,
}

pub(super) const fn required(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, is_required: true, default: None }
}

pub(super) const fn optional(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, is_required: false, default: None }
}

impl Field {
    pub(super) const fn or_else(self, default: &'static str) -> Field {
        Field { default: Some(default), ..self }
    }
}

/// The kinds of value in FlashERP's schemas.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A string; lengths in characters.
    Text { min: usize, max: usize },
    /// An e-mail address; length in characters.
    Email { max: usize },
    /// The id of a customer that exists.
    Customer,
    /// A number in major units; its digits are checked once the currency is known (`amount.rs`).
    Amount,
    /// An ISO 4217 code in either case, kept in upper case.
    Currency,
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// An RFC 3339 time, kept in UTC with milliseconds.
    Instant,
    /// An object, kept as it came.
    Object { max_properties: usize },
}

impl Kind {
    pub(super) const ANY_TEXT: Kind = Kind::Text { min: 0, max: usize::MAX };
    pub(super) const ANY_OBJECT: Kind = Kind::Object { max_properties: usize::MAX };

    /// The JSON text that is kept for `raw`, or what is wrong with it.
    pub(super) fn accept(self, raw: &RawValue) -> Result<Box<str>, String> {
        let json = raw.get();
        match self {
            Kind::Text { min, max } => {
                let length = string(json)?.chars().count();
                if length < min {
                    return Err(format!("must have at least {min} character(s)"));
                }
                if length > max {
                    return Err(format!("must have at most {max} characters"));
                }
                Ok(json.into())
            }
            Kind::Email { max } => {
                let address = string(json)?;
                if address.chars().count() > max {
                    return Err(format!("must have at most {max} characters"));
                }
                if !is_email(&address) {
                    return Err("must be an e-mail address".into());
                }
                Ok(json.into())
            }
            Kind::Customer => {
                string(json)?;
                Ok(json.into())
            }
            Kind::Amount if json.starts_with(|first: char| first == '-' || first.is_ascii_digit()) => Ok(json.into()),
            Kind::Amount => Err("must be a number".into()),
            Kind::Currency => {
                let code = string(json)?.to_ascii_uppercase();
                match iso_currency::Currency::from_code(&code).and_then(|currency| currency.exponent()) {
                    Some(_) => Ok(format!("\"{code}\"").into()),
                    None => Err("must be an ISO 4217 currency code".into()),
                }
            }
            Kind::OneOf(allowed) => {
                let value = string(json)?;
                match allowed.iter().find(|name| **name == value) {
                    Some(name) => Ok(format!("\"{name}\"").into()),
                    None => Err(format!("must be one of {}", allowed.join(", "))),
                }
            }
            Kind::Instant => {
                let millis = instant::parse(&string(json)?).ok_or("must be an RFC 3339 date-time")?;
                Ok(format!("\"{}\"", instant::render(millis)).into())
            }
            Kind::Object { .. } if !json.starts_with('{') => Err("must be an object".into()),
            Kind::Object { max_properties: usize::MAX } => Ok(json.into()),
            Kind::Object { max_properties } => {
                let object = Document::parse(json.as_bytes()).map_err(|malformed| malformed.to_string())?;
                if object.len() > max_properties {
                    return Err(format!("must have at most {max_properties} properties"));
                }
                Ok(json.into())
            }
        }
    }
}

fn string(json: &str) -> Result<std::borrow::Cow<'_, str>, String> {
    text::decode(json).ok_or_else(|| "must be a string".to_owned())
}

/// As strict as it takes to notice a name or an empty string in an address's place: one `@` between two parts without white space. What a
/// mail server would accept beyond that is no business of the contract.
fn is_email(address: &str) -> bool {
    match address.rsplit_once('@') {
        Some((local, domain)) => {
            !local.is_empty()
                && !local.contains('@')
                && !domain.is_empty()
                && domain.split('.').all(|label| !label.is_empty())
                && !address.contains(|c: char| c.is_whitespace() || c.is_control())
        }
        None => false,
    }
}

pub(super) const SUBSCRIPTION_STATUS: &[&str] = &["active", "past_due", "canceled", "incomplete"];
pub(super) const INVOICE_STATUS: &[&str] = &["draft", "open", "paid", "void", "uncollectible"];
