//! What the benchmarks share: load made so cheaply that it takes little of the machine from what is measured.

pub mod cpu;
pub mod load;
pub mod stand;
