//! The ground that other tests stand on, tested itself on real servers.

mod broker;
mod database;
mod wait;
