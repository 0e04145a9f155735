//! `erpctl keys generate`.

use secrecy::SecretString;
use secrets::{Keyring, Place};

use crate::erpctl::erpctl;

#[test]
fn a_generated_key_is_an_entry_that_encrypts_and_is_never_the_same() {
    let first = erpctl(&["keys", "generate"], &[]);
    let second = erpctl(&["keys", "generate"], &[]);
    assert_eq!((first.code, second.code), (0, 0));
    assert_ne!(first.out, second.out);
    let keyring = Keyring::parse(&first.out).expect("an entry of ERP_ENCRYPTION_KEYS");
    let place = Place { table: "config.erp_configurations", row: Default::default(), column: "api_key_enc" };
    assert!(keyring.decrypt(&place, &keyring.encrypt(&place, &SecretString::from("s"))).is_ok());
}

#[test]
fn an_id_can_be_given_and_a_wrong_one_is_refused() {
    assert!(erpctl(&["keys", "generate", "--id", "k2"], &[]).out.starts_with("k2:"));
    let refused = erpctl(&["keys", "generate", "--id", "k:2"], &[]);
    assert_eq!((refused.code, refused.out.as_str()), (2, ""));
    assert_eq!(refused.err, "erpctl: an id is 1 to 64 letters, digits, `-`, `_` and `.`\n");
}
