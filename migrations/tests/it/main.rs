//! The migrated database: who may do what, what can't be changed, what a change asks for.

mod audit_log;
mod commands;
mod grants;
mod requests;
mod views;
