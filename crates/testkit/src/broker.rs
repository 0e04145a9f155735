//! A part of a broker for one test, or a broker of its own, with the product's users.

use std::collections::BTreeMap;
use std::path::Path;

use local_stack::nats::url;
use local_stack::passwords::random_password;
use local_stack::{Nats, Scratch};
use messaging::topology::{ADMIN, server_config, users};
use uuid::Uuid;

use crate::infra::{binaries, scratch, shared, start_nats};

/// Subjects of a test's own on the shared broker.
#[derive(Debug, Clone)]
pub struct TestBroker {
    url: String,
    prefix: String,
}

impl TestBroker {
    /// A new subject prefix on the shared broker.
    ///
    /// # Panics
    /// When there is no broker.
    pub async fn new() -> Self {
        let id = Uuid::new_v4().simple().to_string();
        Self { url: shared().await.nats_url.clone(), prefix: format!("t{}.", id.get(..12).expect("an id is longer")) }
    }

    /// The broker's URL, as its admin: other users may not use a prefix.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What goes before every subject, with the dot (`NATS_SUBJECT_PREFIX`).
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

/// A broker of the test's own, to be killed, robbed and started again. Every service has its user there, with just
/// its subjects.
#[derive(Debug)]
pub struct PrivateBroker {
    /// The server.
    pub nats: Nats,
    passwords: BTreeMap<String, String>,
    _scratch: Scratch,
}

impl PrivateBroker {
    /// A new broker.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start() -> Self {
        let scratch = scratch();
        let folder = scratch.path().to_owned();
        Self::make(&folder, scratch).await
    }

    /// The same with its data in `folder`.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_in(folder: &Path) -> Self {
        Self::make(folder, scratch()).await
    }

    async fn make(folder: &Path, scratch: Scratch) -> Self {
        let passwords = passwords();
        let nats = start_nats(&binaries(), folder, &scratch, server_config(&passwords)).await;
        Self { nats, passwords, _scratch: scratch }
    }

    /// How a user (`ingress`, `admin`, ...) reaches it.
    ///
    /// # Panics
    /// When there is no such user.
    pub fn url_for(&self, user: &str) -> String {
        let password = self.passwords.get(user).unwrap_or_else(|| panic!("the broker has no user {user}"));
        url(user, password, self.nats.port())
    }

    /// Its URL as admin, who may do everything.
    pub fn admin_url(&self) -> String {
        self.url_for(ADMIN)
    }
}

/// A new password for every user.
pub(crate) fn passwords() -> BTreeMap<String, String> {
    users().map(|user| (user.to_owned(), random_password())).collect()
}
