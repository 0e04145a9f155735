//! The whole system as processes, on servers of its own, broken on purpose.

mod failpoints;
mod faults;
mod kills;
mod starts;
mod storm;
mod system;
