//! Round trips, tampering, moved ciphertexts, replaced keys, and mistakes in the setting.

use proptest::prelude::*;
use secrecy::{ExposeSecret as _, SecretString};
use secrets::{DecryptError, Keyring, KeyringError, Place, generate_key};
use uuid::Uuid;

fn place(row: u128) -> Place<'static> {
    Place { table: "config.erp_configurations", row: Uuid::from_u128(row), column: "api_key_enc" }
}

fn key(id: &str) -> String {
    generate_key(id).expect("a good id").expose_secret().to_owned()
}

proptest! {
    #[test]
    fn what_was_encrypted_decrypts_to_the_same(text in ".{0,300}", row: u128) {
        let keyring = Keyring::random();
        let sealed = keyring.encrypt(&place(row), &SecretString::from(text.clone()));
        let opened = keyring.decrypt(&place(row), &sealed).expect("decrypts");
        prop_assert_eq!(opened.expose_secret(), &text);
    }

    #[test]
    fn a_single_flipped_bit_is_noticed_wherever_it_is(text in ".{0,40}", at: prop::sample::Index, bit in 0..8_u8) {
        let keyring = Keyring::random();
        let mut sealed = keyring.encrypt(&place(1), &SecretString::from(text));
        let at = at.index(sealed.len());
        sealed[at] ^= 1 << bit;
        prop_assert!(keyring.decrypt(&place(1), &sealed).is_err());
    }

    #[test]
    fn a_shortened_or_invented_ciphertext_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 1..40_usize) {
        let keyring = Keyring::random();
        prop_assert!(keyring.decrypt(&place(1), &bytes).is_err());
        let sealed = keyring.encrypt(&place(1), &SecretString::from("secret"));
        prop_assert!(keyring.decrypt(&place(1), &sealed[..sealed.len() - cut]).is_err());
    }

    #[test]
    fn a_ciphertext_moved_to_another_row_does_not_decrypt(row: u128, other: u128) {
        prop_assume!(row != other);
        let keyring = Keyring::random();
        let sealed = keyring.encrypt(&place(row), &SecretString::from("secret"));
        prop_assert_eq!(keyring.decrypt(&place(other), &sealed).err(), Some(DecryptError::NotAuthentic));
    }
}

#[test]
fn a_ciphertext_moved_to_another_column_or_table_does_not_decrypt() {
    let keyring = Keyring::random();
    let sealed = keyring.encrypt(&place(1), &SecretString::from("secret"));
    for moved in [Place { column: "api_secret_enc", ..place(1) }, Place { table: "config.other", ..place(1) }] {
        assert_eq!(keyring.decrypt(&moved, &sealed).err(), Some(DecryptError::NotAuthentic));
    }
}

#[test]
fn the_same_secret_twice_gives_two_ciphertexts() {
    let keyring = Keyring::random();
    let secret = SecretString::from("secret");
    assert_ne!(keyring.encrypt(&place(1), &secret), keyring.encrypt(&place(1), &secret));
}

#[test]
fn an_old_key_still_decrypts_and_the_first_encrypts() {
    let (old, new) = (key("2025"), key("2026"));
    let before = Keyring::parse(&old).expect("good");
    let sealed = before.encrypt(&place(1), &SecretString::from("secret"));

    let after = Keyring::parse(&format!("{new},{old}")).expect("good");
    assert_eq!(after.decrypt(&place(1), &sealed).expect("decrypts").expose_secret(), "secret");
    assert!(after.is_outdated(&sealed));
    let anew = after.encrypt(&place(1), &SecretString::from("secret"));
    assert!(!after.is_outdated(&anew));
    assert_eq!(before.decrypt(&place(1), &anew).err(), Some(DecryptError::UnknownKey("2026".into())));
}

#[test]
fn another_key_under_the_same_id_does_not_decrypt() {
    let sealed = Keyring::parse(&key("a")).expect("good").encrypt(&place(1), &SecretString::from("secret"));
    let other = Keyring::parse(&key("a")).expect("good");
    assert_eq!(other.decrypt(&place(1), &sealed).err(), Some(DecryptError::NotAuthentic));
}

#[test]
fn each_mistake_in_the_keys_is_explained_without_repeating_a_key() {
    let error = |text: &str| Keyring::parse(text).expect_err("a mistake");
    assert_eq!(error(" , "), KeyringError::Empty);
    assert_eq!(error("c2VjcmV0"), KeyringError::NoColon(1));
    assert_eq!(error(&format!("{},geheim", key("a"))), KeyringError::NoColon(2));
    assert_eq!(error("a b:c2VjcmV0"), KeyringError::BadId(1));
    assert_eq!(error("a:geheim!"), KeyringError::NotBase64("a".into()));
    assert_eq!(error("a:c2VjcmV0"), KeyringError::WrongLength { id: "a".into(), len: 6 });
    assert_eq!(error(&format!("{},{}", key("a"), key("a"))), KeyringError::TwiceTheId("a".into()));
    for text in ["c2VjcmV0", "a:geheim!", "a:c2VjcmV0", "c2VjcmV0 x:c2VjcmV0"] {
        let told = error(text).to_string();
        assert!(!told.contains("c2VjcmV0") && !told.contains("geheim"), "{told}");
    }
}

#[test]
fn a_keyring_shows_its_ids_and_no_key() {
    let text = key("2026");
    let keyring = Keyring::parse(&text).expect("good");
    let shown = format!("{keyring:?}");
    assert!(shown.contains("2026"), "{shown}");
    let base64 = text.split_once(':').expect("id and key").1;
    assert!(!shown.contains(base64), "{shown}");
}
