//! Sealing and checking on a real database, with owners who do what they should not.

mod archives;
mod kit;
mod sealing;
mod tampering;
