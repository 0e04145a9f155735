//! A reference that Stripe sends as an id or, expanded, as the object itself.

use serde::Deserialize;

/// What has a Stripe id.
pub trait Identified {
    /// The type of its id.
    type Id;

    /// Its id.
    fn id(&self) -> &Self::Id;
}

/// A reference to a `T`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    bound = "T: Deserialize<'de>, T::Id: Deserialize<'de>",
    expecting = "neither an id nor the object it stands for"
)]
pub enum Expandable<T: Identified> {
    /// The id alone.
    Id(T::Id),
    /// The object in full.
    Object(Box<T>),
}

impl<T: Identified> Expandable<T> {
    /// The id, whichever way it was sent.
    pub fn id(&self) -> &T::Id {
        match self {
            Self::Id(id) => id,
            Self::Object(object) => object.id(),
        }
    }

    /// The object, where it was sent.
    pub fn object(&self) -> Option<&T> {
        match self {
            Self::Id(_) => None,
            Self::Object(object) => Some(object),
        }
    }
}
