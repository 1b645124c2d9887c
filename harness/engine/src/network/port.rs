//! One port of a switch: its link in both directions, and the frames that its machine has not read yet.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{
    impairment::Direction,
    link::LinkDirection,
    statistics::{Counts, PortStatistics},
};

/// Bytes that wait for a machine that does not read. What comes then is lost: a guest can't be made to read, and the
/// others must not wait for it.
const LONGEST_QUEUE: usize = 1 << 20;

/// What a frame takes beyond its bytes, so that a queue of very short ones is bounded, too.
const OVERHEAD: usize = 64;

#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) name: String,
    out: LinkDirection,
    in_: LinkDirection,
    pub(crate) statistics: PortStatistics,
    queue: VecDeque<Bytes>,
    queued: usize,
}

/// Why a port did not take a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotTaken {
    NotConnected,
    NotRead,
}

impl Port {
    /// The port of the machine `name` in the network `network`.
    pub(crate) fn new(seed: u64, network: &str, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            out: LinkDirection::new(seed, &[network, name, "out"]),
            in_: LinkDirection::new(seed, &[network, name, "in"]),
            statistics: PortStatistics::default(),
            queue: VecDeque::new(),
            queued: 0,
        }
    }

    /// The link in one direction; `Both` is taken as `In`.
    pub(crate) fn link(&mut self, direction: Direction) -> (&mut LinkDirection, &mut Counts) {
        match direction {
            Direction::Out => (&mut self.out, &mut self.statistics.out),
            Direction::In | Direction::Both => (&mut self.in_, &mut self.statistics.in_),
        }
    }

    /// Queues `frame` for the machine.
    pub(crate) fn offer(&mut self, frame: Bytes) -> Result<(), NotTaken> {
        let counts = &mut self.statistics.in_;
        if !self.statistics.connected {
            counts.unread += 1;
            return Err(NotTaken::NotConnected);
        }
        if self.queued + frame.len() + OVERHEAD > LONGEST_QUEUE {
            counts.unread += 1;
            return Err(NotTaken::NotRead);
        }
        counts.frames += 1;
        counts.bytes += frame.len() as u64;
        self.push(frame);
        Ok(())
    }

    /// Queues `frame`, which was counted before.
    pub(crate) fn push(&mut self, frame: Bytes) {
        self.queued += frame.len() + OVERHEAD;
        self.queue.push_back(frame);
    }

    /// Frames for the machine, up to about `most` bytes of them.
    pub(crate) fn take(&mut self, most: usize) -> Vec<Bytes> {
        let (mut taken, mut bytes) = (vec![], 0);
        while bytes < most {
            let Some(frame) = self.queue.pop_front() else {
                break;
            };
            bytes += frame.len();
            self.queued -= frame.len() + OVERHEAD;
            taken.push(frame);
        }
        taken
    }

    pub(crate) fn has_frames(&self) -> bool {
        !self.queue.is_empty()
    }

    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Bytes> {
        self.queue.iter()
    }

    pub(crate) fn connect(&mut self) {
        self.statistics.connected = true;
        self.statistics.connections += 1;
    }

    /// What was queued for a machine that is gone is lost, unless it is to come back for it.
    pub(crate) fn disconnect(&mut self, comes_back: bool) {
        self.statistics.connected = false;
        if !comes_back {
            self.statistics.in_.unread += self.queue.len() as u64;
            self.queue.clear();
            self.queued = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_does_not_read_loses_frames_and_memory_is_bounded() {
        for length in [0, 60, 1514] {
            let mut port = Port::new(1, "lan", "host");
            let frame = Bytes::from(vec![0; length]);
            assert_eq!(port.offer(frame.clone()), Err(NotTaken::NotConnected));
            port.connect();
            let fits = LONGEST_QUEUE / (length + OVERHEAD);
            for _ in 0..fits {
                assert_eq!(port.offer(frame.clone()), Ok(()));
            }
            assert_eq!(port.offer(frame.clone()), Err(NotTaken::NotRead));
            assert_eq!(port.statistics.in_.unread, 2);
            assert_eq!(port.take(usize::MAX).len(), fits);
            assert_eq!(port.queued, 0);
            assert_eq!(port.offer(frame.clone()), Ok(()));
        }
    }

    #[test]
    fn frames_are_taken_in_order_and_in_portions() {
        let mut port = Port::new(1, "lan", "host");
        port.connect();
        for number in 0..5 {
            port.offer(Bytes::from(vec![number; 100])).unwrap();
        }
        let numbers = |frames: Vec<Bytes>| frames.iter().map(|frame| frame[0]).collect::<Vec<_>>();
        assert_eq!(numbers(port.take(150)), [0, 1]);
        assert_eq!(numbers(port.take(1)), [2]);
        port.disconnect(true);
        assert_eq!(numbers(port.take(1)), [3]);
        port.disconnect(false);
        assert!(!port.has_frames());
        assert_eq!(port.statistics.in_.unread, 1);
    }
}
