//! The scheduler as a process, on a real database, a real broker and the sandbox.

mod deaths;
mod flasherp;
mod kit;
mod missed;
mod replicas;
mod seal;
mod stripe_trouble;
mod timetable;
