//! Streams, durable consumers and users, made from the one table of who tells what to whom ([`events::traffic`]).
//!
//! [`Topology::ensure_stream`] and [`Topology::ensure_durable`] make what is missing and mend what differs; they are called
//! at start and whenever something is found gone, by any number of replicas at once. [`server_config`] renders the users
//! that a nats-server needs. Nothing is ever deleted here.

mod ensure;
mod namespace;
mod permissions;
mod server_config;

pub use ensure::{Topology, TopologyError};
pub use events::traffic::{Durable, Party, Stream};
pub use namespace::{Namespace, NamespaceError};
pub use permissions::{Permissions, inbox_prefix, permissions};
pub use server_config::{ADMIN, server_config, users};
