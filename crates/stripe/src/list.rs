//! Stripe's lists: a page, and where the next one begins.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::StripeError;

/// Things a page: Stripe's most.
pub(crate) const LIMIT: u8 = 100;

/// A page, newest first.
#[derive(Debug)]
pub struct Page {
    /// Each as Stripe writes it.
    pub data: Vec<Box<RawValue>>,
    /// The id after which the next page begins; none on the last.
    pub next: Option<String>,
}

impl Page {
    pub(crate) fn read(body: &[u8]) -> Result<Self, StripeError> {
        #[derive(Deserialize)]
        struct Wire {
            data: Vec<Box<RawValue>>,
            has_more: bool,
        }
        #[derive(Deserialize)]
        struct Id {
            id: String,
        }
        let wire: Wire = serde_json::from_slice(body).map_err(|_| StripeError::Unreadable("it is no list"))?;
        let next = match wire.data.last().filter(|_| wire.has_more) {
            Some(last) => {
                let last: Id = serde_json::from_str(last.get())
                    .map_err(|_| StripeError::Unreadable("what stands last in it has no id, so there is no way on"))?;
                Some(last.id)
            }
            None => None,
        };
        Ok(Self { data: wire.data, next })
    }
}
