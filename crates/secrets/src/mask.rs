//! What a person may see of a secret: enough to tell which one it is, too little to use it.

use secrecy::{ExposeSecret as _, SecretString};

/// What stands for a secret of which nothing is shown.
pub const HIDDEN: &str = "***********";

/// The first 4 characters, `...`, the last 4; `****` for 8 characters or fewer.
#[must_use]
pub fn mask(secret: &SecretString) -> String {
    let chars: Vec<char> = secret.expose_secret().chars().collect();
    if chars.len() <= 8 {
        return "****".to_owned();
    }
    let first: String = chars[..4].iter().collect();
    let last: String = chars[chars.len() - 4..].iter().collect();
    format!("{first}...{last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_secret_shows_its_ends_and_a_short_one_nothing() {
        let masked = |text: &str| mask(&SecretString::from(text));
        assert_eq!(masked("fk_live_1234567890"), "fk_l...7890");
        assert_eq!(masked("123456789"), "1234...6789");
        assert_eq!(masked("12345678"), "****");
        assert_eq!(masked(""), "****");
        assert_eq!(masked("äöüßÄÖÜé€"), "äöüß...ÖÜé€");
    }
}
