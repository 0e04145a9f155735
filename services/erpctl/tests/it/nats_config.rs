//! `erpctl nats-config`.

use std::fs;

use crate::erpctl::{Run, erpctl};

fn run(passwords: &str) -> Run {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("passwords.json");
    fs::write(&file, passwords).expect("written");
    erpctl(&["nats-config", "--passwords", file.to_str().expect("UTF-8")], &[])
}

#[test]
fn the_users_with_a_password_are_printed_and_the_others_named() {
    let run = run(r#"{"ingress": "pw-1", "admin": "pw-2"}"#);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("user: \"ingress\", password: \"pw-1\"") && run.out.contains("\"pw-2\""), "{}", run.out);
    assert!(run.err.contains("left out:") && run.err.contains("sync-worker"), "{}", run.err);
}

#[test]
fn a_misspelt_user_an_empty_password_and_no_json_are_refused_without_showing_a_password() {
    for (passwords, told) in [
        (r#"{"ingres": "hunter2"}"#, "no such user: ingres; there are"),
        (r#"{"ingress": ""}"#, "the password of ingress is empty"),
        (r#"{"ingress": hunter2}"#, "not a JSON object of user names and passwords (line 1, column 13)"),
        (r#"{"ingress": ["hunter2"]}"#, "not a JSON object of user names and passwords"),
    ] {
        let run = run(passwords);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{passwords}");
        assert!(run.err.contains(told) && !run.err.contains("hunter2"), "{}", run.err);
    }
}

#[test]
fn a_missing_file_is_told_with_its_name() {
    let run = erpctl(&["nats-config", "--passwords", "/nowhere/passwords.json"], &[]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("can't read the passwords from /nowhere/passwords.json"), "{}", run.err);
}
