//! Applying events: the inbound role in this process, on a real database.

mod bench;
mod flasherp;
mod orders;
mod plots;
mod replay;
mod stories;
mod views;
