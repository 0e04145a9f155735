//! Ids that look like Stripe's: a prefix and 24 letters and digits.

use rand::{Rng, distr::Alphanumeric, rngs::StdRng};

pub(super) fn draw(prefix: &str, random: &mut StdRng) -> String {
    let mut id = String::with_capacity(prefix.len() + 24);
    id.push_str(prefix);
    id.extend(random.sample_iter(Alphanumeric).take(24).map(char::from));
    id
}
