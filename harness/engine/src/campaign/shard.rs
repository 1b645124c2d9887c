//! A part of the cases, for one of several machines.

use std::{fmt, num::NonZeroU32, str::FromStr};

use crate::util::digest;

/// Shard 2 of 5: `2/5`.
///
/// Where a case goes is decided by its name alone. It does not depend on what else is in the matrix,
/// nor on its order, so that a case stays with its machine, and its kept layers, when others come or go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    number: NonZeroU32,
    count: NonZeroU32,
}

impl Shard {
    /// Whether the case `name` is in this one.
    #[must_use]
    pub fn holds(self, name: &str) -> bool {
        // 60 bits of the hash: a number that divides evenly enough among any count of machines.
        let digest = digest::of([name.as_bytes()]);
        let hash = digest.get(..15).map(|text| u64::from_str_radix(text, 16));
        let hash = hash.and_then(Result::ok).unwrap_or(0);
        hash % u64::from(self.count.get()) == u64::from(self.number.get() - 1)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (number, count) = text.split_once('/')?;
            let (number, count): (NonZeroU32, NonZeroU32) =
                (number.parse().ok()?, count.parse().ok()?);
            (number <= count).then_some(Self { number, count })
        };
        read().ok_or_else(|| format!("{text:?} is no shard; write 2/5 for the second of five"))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.count)
    }
}
