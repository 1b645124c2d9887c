//! One direction of a link: what happens to each frame on it.

use std::time::Duration;

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore as _, SeedableRng as _},
};
use sha2::{Digest as _, Sha256};

use super::impairment::Impairment;

/// Draws for each frame, whatever is done with it: so the fate of a frame depends on the seed and its number, and
/// not on what became of earlier ones or on an impairment that came in between.
const DRAWS: usize = 8;

/// Bytes before a frame's payload, which are never corrupted.
const HEADER: usize = 14;

/// Where a direction stands: how many frames it decided on, and until when it is busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Position {
    pub(crate) decided: u64,
    /// When the last frame has left, where there is a rate.
    pub(crate) free: Duration,
    /// When the last frame that was not reordered arrives.
    pub(crate) last: Duration,
}

/// One direction of a link.
#[derive(Debug)]
pub(crate) struct LinkDirection {
    pub(crate) impairment: Impairment,
    pub(crate) cut: bool,
    position: Position,
    generator: ChaCha8Rng,
}

/// What happens to a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    Lost(Lost),
    Passed(Passed),
}

/// Why a frame did not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    Chance,
    Cut,
    QueueFull,
}

/// How a frame passes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Passed {
    /// When it arrives.
    pub(crate) due: Duration,
    /// When its duplicate does.
    pub(crate) duplicate: Option<Duration>,
    /// How long it takes, waiting for its turn included.
    pub(crate) delay: Duration,
    pub(crate) reordered: bool,
    /// The byte that is changed, and the bits in it.
    pub(crate) corrupted: Option<(usize, u8)>,
}

impl LinkDirection {
    /// One whose decisions follow from `seed` and from what `names` it.
    pub(crate) fn new(seed: u64, names: &[&str]) -> Self {
        let mut digest = Sha256::new();
        digest.update(seed.to_le_bytes());
        for name in names {
            digest.update(name.as_bytes());
            digest.update([0]);
        }
        Self {
            impairment: Impairment::default(),
            cut: false,
            position: Position::default(),
            generator: ChaCha8Rng::from_seed(digest.finalize().into()),
        }
    }

    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// Goes on at `position`.
    pub(crate) fn seek(&mut self, position: Position) {
        self.position = position;
        // A draw of 64 bits is two words.
        let words = u128::from(position.decided) * (DRAWS as u128) * 2;
        self.generator.set_word_pos(words);
    }

    /// Decides on a frame of `length` bytes that is sent at `now`.
    pub(crate) fn decide(&mut self, now: Duration, length: usize) -> Fate {
        let draws: [u64; DRAWS] = std::array::from_fn(|_| self.generator.next_u64());
        let [loss, duplicate, reorder, corrupt, byte, bit, jitter, _] = draws;
        self.position.decided += 1;
        if self.cut {
            return Fate::Lost(Lost::Cut);
        }
        let with = &self.impairment;
        if share(loss) < with.loss {
            return Fate::Lost(Lost::Chance);
        }
        let mut sent = now;
        if let Some(rate) = with.rate {
            let begins = self.position.free.max(now);
            if waiting(begins - now, rate) + length as u64 > with.queue {
                return Fate::Lost(Lost::QueueFull);
            }
            sent = begins + Duration::from_secs_f64(length as f64 / rate as f64);
            self.position.free = sent;
        }
        let reordered = share(reorder) < with.reorder;
        let mut due = sent + with.delay.saturating_sub(with.jitter) + spread(with, jitter);
        if reordered {
            due += with.reorder_by;
        } else {
            due = due.max(self.position.last);
            self.position.last = due;
        }
        let corrupted = share(corrupt) < with.corrupt && length > HEADER;
        Fate::Passed(Passed {
            due,
            duplicate: (share(duplicate) < with.duplicate).then_some(due),
            delay: due - now,
            reordered,
            corrupted: corrupted.then(|| (below(byte, HEADER, length), 1 << (bit % 8))),
        })
    }
}

/// A share from 0 to 1, without 1.
fn share(draw: u64) -> f64 {
    (draw >> 11) as f64 / (1_u64 << 53) as f64
}

/// A position from `from` to `to`, without `to`.
fn below(draw: u64, from: usize, to: usize) -> usize {
    from + (draw % (to - from) as u64) as usize
}

/// How much later than at the earliest a frame arrives.
fn spread(impairment: &Impairment, draw: u64) -> Duration {
    let earliest = impairment.delay.saturating_sub(impairment.jitter);
    let latest = impairment.delay + impairment.jitter;
    (latest - earliest).mul_f64(share(draw))
}

/// The bytes that take `time` to send at `rate`.
fn waiting(time: Duration, rate: u64) -> u64 {
    (time.as_secs_f64() * rate as f64) as u64
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
