//! Imports into a real database.

mod keys;
mod kit;
mod rows;
