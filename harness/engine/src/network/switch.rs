//! A learning switch: which ports a frame goes to.

use std::{collections::HashMap, time::Duration};

use super::ethernet::{Mac, addresses};

/// How long an address is known without a frame from it, as in the bridge of Linux.
const AGEING: Duration = Duration::from_secs(300);

/// How many addresses are known at most. When there are more, the one that was quiet for longest is forgotten.
const MOST: usize = 1024;

/// Where a frame goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameTarget {
    /// To one port.
    Port(usize),
    /// To all ports but its own.
    All,
    /// To nobody, for a reason.
    Nobody(Unforwarded),
}

/// Why a frame goes to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unforwarded {
    /// It has no room for an Ethernet header.
    Short,
    /// The port that it came from is its destination's.
    OwnPort,
    /// QEMU announced a card after it loaded a state, by the address of the command line. The resumed guest may have
    /// another one, and the other machine the announced one.
    Announcement,
}

impl Unforwarded {
    /// In words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Short => "not forwarded: shorter than an Ethernet header",
            Self::OwnPort => "not forwarded: its destination is at the port that it came from",
            Self::Announcement => "not forwarded: QEMU's announcement of a card",
        }
    }
}

/// What the switch does with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Where it goes to.
    pub target: FrameTarget,
    /// Its source's address, and the port where that was seen before, if that is another one.
    pub moved: Option<(Mac, usize)>,
}

#[derive(Debug, Clone, Copy)]
struct Learned {
    port: usize,
    seen: Duration,
}

/// The table of addresses.
#[derive(Debug, Default)]
pub struct Switch {
    table: HashMap<Mac, Learned>,
}

impl Switch {
    /// Decides for `frame` that came from the port `from`, and learns from it. `now` never goes back.
    pub fn forward(&mut self, now: Duration, from: usize, frame: &[u8]) -> Decision {
        let nobody = |why, moved| Decision {
            target: FrameTarget::Nobody(why),
            moved,
        };
        let Some(addresses) = addresses(frame) else {
            return nobody(Unforwarded::Short, None);
        };
        if addresses.announcement {
            return nobody(Unforwarded::Announcement, None);
        }
        let moved = self.learn(now, from, addresses.source);
        let target = match self.known(now, addresses.destination) {
            Some(port) if port == from => return nobody(Unforwarded::OwnPort, moved),
            Some(port) => FrameTarget::Port(port),
            None => FrameTarget::All,
        };
        Decision { target, moved }
    }

    fn known(&self, now: Duration, mac: Mac) -> Option<usize> {
        let learned = self.table.get(&mac)?;
        (now.saturating_sub(learned.seen) < AGEING).then_some(learned.port)
    }

    fn learn(&mut self, now: Duration, port: usize, mac: Mac) -> Option<(Mac, usize)> {
        if mac.is_group() {
            return None;
        }
        let before = self.known(now, mac);
        if before.is_none() && self.table.len() >= MOST && !self.table.contains_key(&mac) {
            let quiet = self.table.iter().min_by_key(|(_, learned)| learned.seen);
            if let Some(quiet) = quiet.map(|(mac, _)| *mac) {
                self.table.remove(&quiet);
            }
        }
        self.table.insert(mac, Learned { port, seen: now });
        before
            .filter(|before| *before != port)
            .map(|before| (mac, before))
    }

    /// Address, port, and for how long nothing was heard of it; in the order of addresses.
    #[must_use]
    pub fn table(&self, now: Duration) -> Vec<(Mac, usize, Duration)> {
        let mut table: Vec<_> = self
            .table
            .iter()
            .map(|(mac, learned)| (*mac, learned.port, now.saturating_sub(learned.seen)))
            .filter(|(.., quiet)| *quiet < AGEING)
            .collect();
        table.sort();
        table
    }

    /// Learns that `mac` was seen at `port`.
    pub fn teach(&mut self, now: Duration, mac: Mac, port: usize) {
        self.learn(now, port, mac);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::ethernet::tests::{BROADCAST, announcement, frame, mac},
        *,
    };

    const NOW: Duration = Duration::ZERO;

    fn target(switch: &mut Switch, from: usize, frame: &[u8]) -> FrameTarget {
        switch.forward(NOW, from, frame).target
    }

    #[test]
    fn what_is_unknown_goes_to_all_and_what_is_known_to_one() {
        let mut switch = Switch::default();
        assert_eq!(target(&mut switch, 0, &frame(2, 1, 60)), FrameTarget::All);
        assert_eq!(
            target(&mut switch, 1, &frame(1, 2, 60)),
            FrameTarget::Port(0)
        );
        assert_eq!(
            target(&mut switch, 0, &frame(2, 1, 60)),
            FrameTarget::Port(1)
        );
        assert_eq!(
            target(&mut switch, 0, &frame(BROADCAST, 1, 60)),
            FrameTarget::All
        );
        let mut multicast = frame(2, 1, 60);
        multicast[0] = 0x33;
        assert_eq!(target(&mut switch, 0, &multicast), FrameTarget::All);
    }

    #[test]
    fn a_frame_to_its_own_port_and_one_without_a_header_go_to_nobody() {
        let mut switch = Switch::default();
        let own = FrameTarget::Nobody(Unforwarded::OwnPort);
        assert_eq!(target(&mut switch, 0, &frame(1, 1, 60)), own);
        assert_eq!(
            target(&mut switch, 0, &[0; 13]),
            FrameTarget::Nobody(Unforwarded::Short)
        );
    }

    #[test]
    fn a_group_is_never_learned_as_a_source() {
        let mut switch = Switch::default();
        assert_eq!(
            target(&mut switch, 0, &frame(1, BROADCAST, 60)),
            FrameTarget::All
        );
        assert_eq!(
            target(&mut switch, 1, &frame(BROADCAST, 2, 60)),
            FrameTarget::All
        );
        assert_eq!(switch.table(NOW).len(), 1);
    }

    #[test]
    fn announcements_teach_nothing_and_reach_nobody() {
        let mut switch = Switch::default();
        switch.forward(NOW, 0, &frame(BROADCAST, 1, 60));
        let decision = switch.forward(NOW, 1, &announcement(1));
        assert_eq!(
            decision.target,
            FrameTarget::Nobody(Unforwarded::Announcement)
        );
        assert_eq!(switch.table(NOW), [(mac(1), 0, NOW)]);
    }

    #[test]
    fn an_address_at_two_ports_is_where_it_was_seen_last_and_is_told() {
        let mut switch = Switch::default();
        switch.forward(NOW, 0, &frame(BROADCAST, 1, 60));
        let decision = switch.forward(NOW, 1, &frame(BROADCAST, 1, 60));
        assert_eq!(decision.moved, Some((mac(1), 0)));
        assert_eq!(
            target(&mut switch, 2, &frame(1, 3, 60)),
            FrameTarget::Port(1)
        );
        assert_eq!(switch.forward(NOW, 1, &frame(3, 1, 60)).moved, None);
    }

    #[test]
    fn an_address_ages() {
        let mut switch = Switch::default();
        switch.forward(NOW, 0, &frame(BROADCAST, 1, 60));
        let late = AGEING - Duration::from_secs(1);
        assert_eq!(
            switch.forward(late, 1, &frame(1, 2, 60)).target,
            FrameTarget::Port(0)
        );
        assert_eq!(
            switch.forward(AGEING, 1, &frame(1, 2, 60)).target,
            FrameTarget::All
        );
        // A card that comes back at another port after that has not moved.
        assert_eq!(switch.forward(AGEING, 1, &frame(2, 1, 60)).moved, None);
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_quietest() {
        let mut switch = Switch::default();
        let mut late = NOW;
        for number in 0..=MOST {
            late = Duration::from_millis(number as u64);
            let mut frame = frame(BROADCAST, 1, 60);
            frame[8..10].copy_from_slice(&u16::try_from(number).unwrap().to_be_bytes());
            switch.forward(late, 0, &frame);
        }
        let table = switch.table(late);
        assert_eq!(table.len(), MOST);
        assert!(
            !table.iter().any(|(mac, ..)| mac.0[2..4] == [0, 0]),
            "the first one is gone"
        );
    }

    proptest! {
        #[test]
        fn no_frame_goes_back_or_to_a_port_that_never_sent(
            frames in prop::collection::vec((0_usize..4, prop::collection::vec(0_u8..4, 0..40)), 0..60)
        ) {
            let (mut switch, mut sent) = (Switch::default(), [false; 4]);
            for (from, frame) in frames {
                sent[from] = true;
                let decision = switch.forward(NOW, from, &frame);
                if let FrameTarget::Port(port) = decision.target {
                    prop_assert!(port != from && sent[port]);
                }
                if let Some((_, before)) = decision.moved {
                    prop_assert!(before != from);
                }
            }
        }
    }
}
