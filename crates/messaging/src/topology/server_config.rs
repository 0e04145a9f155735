//! The `authorization` block of a nats-server: one user per service, with just its subjects, and `admin`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use events::traffic::Party;

use super::permissions::permissions;

/// The user that may do everything: for operators and tests, used by no service.
pub const ADMIN: &str = "admin";

/// The names of all users, for whoever makes passwords.
pub fn users() -> impl Iterator<Item = &'static str> {
    std::iter::once(ADMIN).chain(Party::ALL.into_iter().map(Party::name))
}

/// The block for the users that have a password. A user without one is left out and can't log in; a name that is no user is
/// ignored. Whoever connects without a user is refused.
///
/// A password that looks like a bcrypt hash (`$2a$...`) is taken for one by the server.
pub fn server_config(passwords: &BTreeMap<String, String>) -> String {
    let mut block = String::from("authorization {\n  users: [\n");
    for user in users() {
        let Some(password) = passwords.get(user) else {
            continue;
        };
        let rights = Party::ALL.into_iter().find(|party| party.name() == user).map(rights).unwrap_or_default();
        // Writing to a String can't fail.
        let _ = writeln!(block, "    {{ user: {}, password: {}{rights} }}", quoted(user), quoted(password));
    }
    block.push_str("  ]\n}\n");
    block
}

fn rights(party: Party) -> String {
    let permissions = permissions(party);
    format!(
        ", permissions: {{\n      publish: {{ allow: {}, deny: {} }}\n      subscribe: {{ allow: {} }}\n    }}",
        list(&permissions.publish),
        list(&permissions.publish_deny),
        list(&permissions.subscribe)
    )
}

fn list(subjects: &BTreeSet<String>) -> String {
    let quoted: Vec<_> = subjects.iter().map(|subject| quoted(subject)).collect();
    format!("[{}]", quoted.join(", "))
}

/// A text in double quotes as the server's configuration language reads it: inside of them nothing is a variable, a number
/// or the end of a value.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_without_password_is_left_out() {
        let config = server_config(&BTreeMap::from([("ingress".to_owned(), "pw".to_owned())]));
        assert!(config.contains("user: \"ingress\", password: \"pw\""));
        assert!(!config.contains("admin") && !config.contains("user: \"scheduler\""));
    }

    #[test]
    fn quotes_and_backslashes_in_a_password_stay_in_the_password() {
        let config = server_config(&BTreeMap::from([("admin".to_owned(), "a\"} \\ $HOME".to_owned())]));
        assert!(config.contains(r#"password: "a\"} \\ $HOME" }"#), "{config}");
    }
}
