//! Fuzzing on stable Rust, as ordinary tests: examples of what a parser is given are broken in many ways, and the parser has to bear each.
//!
//! Random bytes never get past a JSON parser's first characters, so every case begins with an example: values are replaced by odd ones of
//! another type, members are dropped and doubled, bytes are cut, repeated, exchanged and filled with what breaks parsers. What is found is
//! made small by proptest and printed as Rust text.
//!
//! In `./justw test` a target runs [`FEW`] cases; `./justw fuzz` a million, or `FUZZ_CASES`. `FUZZ_SEED` (default 0) is where the dice begin,
//! so that a run can be had again.

mod bytes;
mod json;

use std::fmt;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

/// Cases of a target in `./justw test`.
pub const FEW: u32 = 2_000;

/// Runs `check` over the examples as they are, and over so many broken ones. What panics in it, or fails, is the finding.
///
/// # Panics
/// With the smallest input that was found to fail.
pub fn run(examples: &[&[u8]], check: impl Fn(&[u8])) {
    examples.iter().for_each(|example| check(example));
    let number = |name: &str, unset: u32| {
        std::env::var(name).map_or(unset, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
    };
    let (cases, seed) = (number("FUZZ_CASES", FEW), number("FUZZ_SEED", 0));
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 100_000, ..Config::default() };
    let mut dice = [0; 32];
    dice[..4].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &dice));
    // Thousands of attempts to make a finding small are not worth a message each; the smallest has one below.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let outcome = runner.run(&broken(examples).prop_map(Input), |Input(input)| {
        check(&input);
        Ok::<_, TestCaseError>(())
    });
    std::panic::set_hook(hook);
    if let Err(error) = outcome {
        panic!("FUZZ_SEED={seed}: {error}");
    }
    eprintln!("{cases} cases of {} examples, FUZZ_SEED={seed}", examples.len());
}

/// Bytes, shown as a Rust byte string.
#[derive(Clone)]
struct Input(Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// Input made from the examples.
fn broken(examples: &[&[u8]]) -> BoxedStrategy<Vec<u8>> {
    let texts: Vec<Vec<u8>> = examples.iter().map(|example| example.to_vec()).collect();
    let example = prop::sample::select(texts.clone());
    let json_example = example.clone();
    prop_oneof![
        // of the right form, with odd values
        4 => (json_example, prop::collection::vec(json::mutation(), 1..4))
            .prop_map(|(example, mutations)| json::apply(&example, &mutations)),
        // both
        2 => (example.clone(), prop::collection::vec(json::mutation(), 1..3), prop::collection::vec(bytes::mutation(texts.clone()), 1..3))
            .prop_map(|(example, first, then)| bytes::apply(json::apply(&example, &first), &then)),
        // of no form
        3 => (example, prop::collection::vec(bytes::mutation(texts), 1..6))
            .prop_map(|(example, mutations)| bytes::apply(example, &mutations)),
        1 => prop::collection::vec(any::<u8>(), 0..256),
    ]
    .boxed()
}
