//! Opaque cursors: where a page ended, bound to the list that it is a page of, so that a cursor can't be carried over to another filter
//! and silently skip records.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::{schema::Resource, store::RecordId};

/// What a list is of: collection and filters, reduced to eight bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ListKey([u8; 8]);

impl ListKey {
    pub(super) fn of(resource: Resource, filter: &str) -> Self {
        let digest = Sha256::new().chain_update(resource.path()).chain_update([0]).chain_update(filter).finalize();
        let mut key = [0; 8];
        key.copy_from_slice(&digest[..8]);
        Self(key)
    }
}

/// The cursor of a page that ended with `last`.
pub(super) fn render(list: ListKey, last: RecordId) -> String {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&list.0);
    bytes[8..].copy_from_slice(&last.number().to_be_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Where the next page starts after; `None` if this is no cursor of that list.
pub(super) fn parse(list: ListKey, cursor: &str) -> Option<RecordId> {
    let bytes: [u8; 16] = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?.try_into().ok()?;
    let (key, number) = bytes.split_first_chunk::<8>()?;
    (*key == list.0).then(|| number.try_into().ok().map(|number| RecordId::from_number(u64::from_be_bytes(number))))?
}
