//! The secrets of one data folder: made at its first start, kept in `secrets.env` (0600), the same at every later one.
//!
//! A secret that a newer version needs is added; what is there is never changed, since databases and the sandbox's
//! callers were given it. The file is written whole before anything uses what is in it.

use std::collections::BTreeMap;
use std::path::Path;

use messaging::topology;

use crate::Result;
use crate::error::IoContext;
use crate::layout::write_private;
use crate::passwords::{random_key, random_password};

/// The password of PostgreSQL's superuser and of every role.
const POSTGRES_PASSWORD: &str = "POSTGRES_PASSWORD";

/// Secrets by name. What the services read has the name of their environment variable.
#[derive(Clone)]
pub struct Secrets {
    values: BTreeMap<String, String>,
}

impl Secrets {
    /// Reads the file, and makes what is missing in it.
    ///
    /// # Errors
    /// When the file can't be read or written.
    pub fn load_or_make(file: &Path) -> Result<Self> {
        let text = match std::fs::read_to_string(file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            read => read.doing(|| format!("can't read {}", file.display()))?,
        };
        let mut values: BTreeMap<String, String> = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let before = values.len();
        for (name, make) in wanted() {
            values.entry(name).or_insert_with(make);
        }
        if values.len() > before {
            let lines: String = values.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
            write_private(file, &lines)?;
        }
        Ok(Self { values })
    }

    /// A secret by the name of its environment variable; empty when there is none of that name.
    pub fn get(&self, name: &str) -> &str {
        self.values.get(name).map(String::as_str).unwrap_or_default()
    }

    /// The password of PostgreSQL's superuser and of every role.
    pub fn postgres_password(&self) -> &str {
        self.get(POSTGRES_PASSWORD)
    }

    /// The password of a user of the broker.
    pub fn nats_password(&self, user: &str) -> &str {
        self.get(&nats_name(user))
    }

    /// The passwords of all users of the broker, by user.
    pub fn nats_passwords(&self) -> BTreeMap<String, String> {
        topology::users().map(|user| (user.to_owned(), self.nats_password(user).to_owned())).collect()
    }

    /// Those that services read, by the name of the environment variable.
    pub fn for_services(&self) -> impl Iterator<Item = (&'static str, &str)> {
        SERVICE_SECRETS.iter().map(|(name, _)| (*name, self.get(name)))
    }
}

type Make = fn() -> String;

/// What services read, and how each is made.
const SERVICE_SECRETS: [(&str, Make); 6] = [
    ("AUTH_JWT_SECRET", random_key),
    ("ERP_ENCRYPTION_KEYS", || format!("local:{}", random_key())),
    ("FLASHERP_WEBHOOK_SECRET", || format!("fwhsec_{}", random_password())),
    ("SANDBOX_API_KEY", || format!("fk_{}", random_password())),
    ("SANDBOX_API_SECRET", random_password),
    ("STRIPE_WEBHOOK_SECRET", || format!("whsec_{}", random_password())),
];

/// What services get beside them where the sandbox plays Stripe: a real one would refuse it.
const SANDBOX_SECRETS: [(&str, Make); 1] = [("STRIPE_API_KEY", || format!("sk_test_{}", random_password()))];

fn wanted() -> impl Iterator<Item = (String, Make)> {
    let services = SERVICE_SECRETS.iter().chain(&SANDBOX_SECRETS).map(|(name, make)| ((*name).to_owned(), *make));
    let broker = topology::users().map(|user| (nats_name(user), random_password as Make));
    services.chain(broker).chain([(POSTGRES_PASSWORD.to_owned(), random_password as Make)])
}

fn nats_name(user: &str) -> String {
    format!("NATS_PASSWORD_{}", user.to_uppercase().replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn secrets_are_made_once_and_readable_by_their_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secrets.env");
        let first = Secrets::load_or_make(&file).expect("made");
        let second = Secrets::load_or_make(&file).expect("read");
        assert_eq!(first.values, second.values);
        assert!(first.values.values().all(|value| value.len() >= 32));
        assert_eq!(std::fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_secret_that_is_missing_is_added_and_the_others_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secrets.env");
        std::fs::write(&file, "POSTGRES_PASSWORD=kept\n").expect("written");
        let secrets = Secrets::load_or_make(&file).expect("made");
        assert_eq!(secrets.postgres_password(), "kept");
        assert!(!secrets.nats_password("sync-worker").is_empty());
    }
}
