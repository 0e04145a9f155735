//! Passwords and keys of a local stack: random, made once, kept in files that only their owner may read.

use base64::Engine as _;
use rand::RngCore as _;

/// 16 random bytes as 32 hexadecimal digits: needs no quoting in a URL, a shell or a configuration file.
pub fn random_password() -> String {
    hex::encode(random::<16>())
}

/// 32 random bytes in base64: a key.
pub fn random_key() -> String {
    base64::engine::general_purpose::STANDARD.encode(random::<32>())
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}
