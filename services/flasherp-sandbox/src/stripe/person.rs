//! People who don't exist, at example.com.

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};

const FIRST: &[&str] = &[
    "Ada", "Amir", "Beatriz", "Chen", "Dagny", "Emeka", "Farida", "Giulia", "Hiro", "Ines", "Jonas", "Katya", "Liam",
    "Mei", "Noor", "Oskar", "Priya", "Quentin", "Rosa", "Sven", "Tomasz", "Uma", "Viktor", "Wanjiru", "Xenia", "Yusuf",
    "Zoë",
];
const LAST: &[&str] = &[
    "Abara",
    "Bianchi",
    "Costa",
    "Dvořák",
    "Eriksen",
    "Fischer",
    "García",
    "Haddad",
    "Ito",
    "Jansen",
    "Kowalski",
    "Lindqvist",
    "Moreau",
    "Nakamura",
    "O'Brien",
    "Petrov",
    "Quispe",
    "Rossi",
    "Silva",
    "Tanaka",
    "Usman",
    "Varga",
    "Weber",
    "Yılmaz",
    "Zhang",
];

/// A name.
pub(super) fn draw_name(random: &mut StdRng) -> String {
    let first = FIRST.choose(random).copied().unwrap_or_default();
    format!("{first} {}", draw_last_name(random))
}

/// A last name, for those who marry.
pub(super) fn draw_last_name(random: &mut StdRng) -> &'static str {
    LAST.choose(random).copied().unwrap_or_default()
}

/// An address that belongs to nobody, and to nobody else of a run.
pub(super) fn draw_email(name: &str, random: &mut StdRng) -> String {
    let local: String =
        name.to_ascii_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '.' }).collect();
    format!("{local}.{:016x}@example.com", random.random::<u64>())
}
