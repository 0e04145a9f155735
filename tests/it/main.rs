//! The whole system as processes, on servers of its own, broken on purpose.

mod canaries;
mod deaths;
mod failpoints;
mod faults;
mod kills;
mod power_cut;
mod rare_deaths;
mod starts;
mod stops;
mod storm;
mod switched_off;
mod system;
