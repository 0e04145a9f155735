//! The bytes of a ciphertext in its column.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version of this format, 1 |
//! | 1 | length of the key id, n |
//! | n | key id |
//! | 12 | nonce |
//! | rest | AES-256-GCM ciphertext, its 16-byte tag at the end |
//!
//! Authenticated beside it: everything before the nonce, a zero byte, and the [`Place`].

use crate::Place;

const VERSION: u8 = 1;
pub(crate) const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;

/// A ciphertext taken apart.
pub(crate) struct Sealed<'a> {
    pub(crate) key_id: &'a [u8],
    pub(crate) nonce: &'a [u8; NONCE_LEN],
    pub(crate) ciphertext: &'a [u8],
}

/// Why bytes are no ciphertext of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormatError {
    #[error("it is too short")]
    TooShort,
    #[error("its format's version {0} is not known")]
    UnknownVersion(u8),
}

impl<'a> Sealed<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let (&version, rest) = bytes.split_first().ok_or(FormatError::TooShort)?;
        if version != VERSION {
            return Err(FormatError::UnknownVersion(version));
        }
        let (&id_len, rest) = rest.split_first().ok_or(FormatError::TooShort)?;
        let (key_id, rest) = rest.split_at_checked(usize::from(id_len)).ok_or(FormatError::TooShort)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>().ok_or(FormatError::TooShort)?;
        if ciphertext.len() < TAG_LEN {
            return Err(FormatError::TooShort);
        }
        Ok(Self { key_id, nonce, ciphertext })
    }
}

/// Everything before the nonce. `key_id` has at most 255 bytes.
pub(crate) fn header(key_id: &[u8]) -> Vec<u8> {
    let id_len = u8::try_from(key_id.len()).expect("the keyring takes no id longer than 64 bytes");
    [&[VERSION, id_len], key_id].concat()
}

/// What is authenticated beside the ciphertext.
pub(crate) fn associated_data(key_id: &[u8], place: &Place<'_>) -> Vec<u8> {
    let mut data = header(key_id);
    data.push(0);
    data.extend_from_slice(place.to_string().as_bytes());
    data
}
