//! The reconciler as a process, on a real database, a real broker and the sandbox.

mod agreement;
mod deaths;
mod every_type;
mod frozen;
mod gate;
mod judging;
mod kit;
mod pages;
mod planted;
