//! The ground that other tests stand on, tested itself on real servers.

mod broker;
mod checker;
mod database;
mod disk;
mod history;
mod proxy;
mod recorder;
mod wait;
