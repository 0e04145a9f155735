//! Servers as processes, on real ones.

mod command_line;
mod demo;
mod infra;
mod lifetime;
mod postgres;
mod support;
