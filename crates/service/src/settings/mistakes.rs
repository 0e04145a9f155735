//! All mistakes of an environment as one error, in plain words. No secret's value is in it.

use std::fmt;

/// One mistake: which variable, what is wrong, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The variable's name.
    pub name: String,
    /// What is wrong and what to write instead; never a secret's value.
    pub problem: String,
}

/// Everything that is wrong with an environment, in the table's order, unknown names last.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes {
    pub(crate) binary: &'static str,
    /// Never empty.
    pub list: Vec<Mistake>,
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.list.len();
        let plural = if count == 1 { "" } else { "s" };
        write!(f, "{} cannot start: {count} mistake{plural} in its environment variables.", self.binary)?;
        for mistake in &self.list {
            write!(f, "\n  {}: {}", mistake.name, mistake.problem)?;
        }
        Ok(())
    }
}
