//! The whole system as processes, on servers of its own, broken on purpose.

mod failpoints;
mod faults;
mod kills;
mod power_cut;
mod starts;
mod stops;
mod storm;
mod system;
