//! The client against real HTTP on loopback: wiremock where HTTP works, a bare TCP server where it breaks.

mod codes;
mod cuts;
mod finding;
mod gate;
mod guarding;
mod outcomes;
mod seams;
mod secrets;
mod support;
mod tries;
