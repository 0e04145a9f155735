//! `erpctl nats-config`: nats-server's users, from the one place that says who may use which subject.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use messaging::topology;

use crate::failure::Failure;
use crate::output::print;

pub(crate) fn run(passwords: &Path) -> Result<(), Failure> {
    let text = read(passwords)?;
    // The parser's words could repeat a password; where it stopped is enough.
    let passwords: BTreeMap<String, String> = serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Failure::Usage(format!(
            "the passwords are not a JSON object of user names and passwords (line {line}, column {column})"
        ))
    })?;
    let users: Vec<_> = topology::users().collect();
    let unknown: Vec<_> = passwords.keys().filter(|name| !users.contains(&name.as_str())).map(String::as_str).collect();
    if !unknown.is_empty() {
        return Err(Failure::Usage(format!("no such user: {}; there are {}", unknown.join(", "), users.join(", "))));
    }
    if let Some((user, _)) = passwords.iter().find(|(_, password)| password.is_empty()) {
        return Err(Failure::Usage(format!("the password of {user} is empty")));
    }
    let left_out: Vec<_> = users.iter().filter(|user| !passwords.contains_key(**user)).copied().collect();
    if !left_out.is_empty() {
        eprintln!("erpctl: without a password, and so left out: {}", left_out.join(", "));
    }
    print(&topology::server_config(&passwords))
}

fn read(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    read.map_err(|error| Failure::failed(&format!("can't read the passwords from {}", path.display()), error))
}
