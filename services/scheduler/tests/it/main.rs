//! The scheduler as a process, on a real database, a real broker and the sandbox.

mod alerting;
mod asking;
mod days;
mod deaths;
mod facts;
mod firings;
mod flasherp;
mod health;
mod kit;
mod missed;
mod pruning;
mod receivers;
mod replicas;
mod reports;
mod seal;
mod stripe_trouble;
mod timetable;
