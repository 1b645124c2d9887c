//! Which writes a disk still has after a power cut.

use super::log::{Entry, Request, WriteLog};

/// Disks write a block of this many bytes whole or not at all, but not a whole request.
const BLOCK: u64 = 4096;

/// What becomes of writes that were not flushed when the power was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// All are on the disk: only the memory is lost.
    None,
    /// None is.
    All,
    /// Each of their blocks of 4 KiB is or is not, by half, as this seed has it.
    Some(u64),
}

/// A stretch of the disk and what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patch {
    /// Where on the disk, in bytes.
    pub at: u64,
    /// How many bytes.
    pub length: u64,
    /// Where they are in the log, in bytes; zeroes if nowhere.
    pub data: Option<u64>,
}

impl WriteLog {
    /// What the first `cut` entries have made of the disk when the power is cut, to be written in this order.
    #[must_use]
    pub fn after_power_cut(&self, cut: usize, loss: Loss) -> Vec<Patch> {
        let flushed = self.flushed(cut);
        let mut patches = self.patches(0, flushed, Loss::None);
        patches.extend(self.patches(flushed, cut, loss));
        patches
    }

    /// What the entries from `from` to `to` have made of the disk, none of them being flushed.
    #[must_use]
    pub fn patches(&self, from: usize, to: usize, loss: Loss) -> Vec<Patch> {
        let entries = self.entries.iter().enumerate().take(to).skip(from);
        entries
            .flat_map(|(index, entry)| left_of(index, entry, loss))
            .collect()
    }
}

fn left_of(index: usize, entry: &Entry, loss: Loss) -> Vec<Patch> {
    let (data, at_once) = match entry.request {
        Request::Write { data, at_once } => (Some(data), at_once),
        Request::Discard => (None, false),
        Request::Flush | Request::Mark => return vec![],
    };
    let whole = Patch {
        at: entry.at,
        length: entry.length,
        data,
    };
    match loss {
        _ if at_once => vec![whole],
        Loss::None => vec![whole],
        Loss::All => vec![],
        Loss::Some(seed) => blocks(whole)
            .filter(|block| coin(seed, index as u64, block.at))
            .collect(),
    }
}

/// The parts of `whole` in the blocks of the disk.
fn blocks(whole: Patch) -> impl Iterator<Item = Patch> {
    let end = whole.at + whole.length;
    let mut at = whole.at;
    std::iter::from_fn(move || {
        let next = (at / BLOCK + 1).saturating_mul(BLOCK).min(end);
        let block = Patch {
            at,
            length: next.checked_sub(at).filter(|length| *length > 0)?,
            data: whole.data.map(|data| data + (at - whole.at)),
        };
        at = next;
        Some(block)
    })
}

/// Decides by all three numbers alone, so that a cut can be made again (SplitMix64).
fn coin(seed: u64, entry: u64, at: u64) -> bool {
    let mut mixed = seed;
    for number in [entry, at] {
        mixed = (mixed ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
    }
    mixed & 1 == 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn write(at: u64, length: u64, data: u64) -> Entry {
        let at_once = false;
        let request = Request::Write { data, at_once };
        Entry {
            at,
            length,
            request,
        }
    }

    fn other(request: Request) -> Entry {
        let (at, length) = (0, 4096);
        Entry {
            at,
            length,
            request,
        }
    }

    fn log() -> WriteLog {
        let at_once = Entry {
            request: Request::Write {
                data: 300,
                at_once: true,
            },
            ..write(20480, 512, 300)
        };
        WriteLog {
            entries: vec![
                write(0, 4096, 100),
                other(Request::Flush),
                write(4096, 4096, 200),
                at_once,
                other(Request::Discard),
            ],
        }
    }

    fn places(patches: &[Patch]) -> Vec<(u64, Option<u64>)> {
        patches.iter().map(|patch| (patch.at, patch.data)).collect()
    }

    #[rstest]
    #[case(Loss::None, &[(0, Some(100)), (4096, Some(200)), (20480, Some(300)), (0, None)])]
    #[case(Loss::All, &[(0, Some(100)), (20480, Some(300))])]
    fn what_is_flushed_or_was_written_at_once_stays(
        #[case] loss: Loss,
        #[case] left: &[(u64, Option<u64>)],
    ) {
        assert_eq!(places(&log().after_power_cut(5, loss)), left);
    }

    #[test]
    fn at_a_boundary_nothing_can_be_lost() {
        for loss in [Loss::None, Loss::All, Loss::Some(7)] {
            assert_eq!(
                places(&log().after_power_cut(2, loss)),
                [(0, Some(100))],
                "{loss:?}"
            );
        }
    }

    #[test]
    fn a_request_is_torn_at_blocks_of_the_disk() {
        let whole = Patch {
            at: 4096 - 512,
            length: 512 + 4096 + 1024,
            data: Some(1000),
        };
        let parts: Vec<_> = blocks(whole)
            .map(|part| (part.at, part.length, part.data))
            .collect();
        assert_eq!(
            parts,
            [
                (3584, 512, Some(1000)),
                (4096, 4096, Some(1512)),
                (8192, 1024, Some(5608)),
            ]
        );
    }

    proptest! {
        #[test]
        fn some_lose_about_half_and_the_same_half_again(seed in any::<u64>()) {
            let log = WriteLog { entries: vec![write(0, 400 * BLOCK, 0)] };
            let left = log.after_power_cut(1, Loss::Some(seed));
            prop_assert!((100..300).contains(&left.len()), "{} of 400", left.len());
            prop_assert_eq!(&left, &log.after_power_cut(1, Loss::Some(seed)));
        }

        #[test]
        fn what_is_left_is_part_of_what_was_written(
            at in 0_u64..20_000, length in 1_u64..40_000, seed in any::<u64>(),
        ) {
            let whole = write(at, length, 7);
            let log = WriteLog { entries: vec![whole] };
            for part in log.after_power_cut(1, Loss::Some(seed)) {
                prop_assert!(part.at >= at && part.at + part.length <= at + length);
                prop_assert_eq!(part.data, Some(7 + part.at - at));
            }
        }
    }
}
