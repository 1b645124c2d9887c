//! What a switch reads of a frame: its addresses, and whether QEMU made it up.

use std::fmt;

use etherparse::{ArpOperation, ArpPacketSlice, EtherType, Ethernet2Slice};
use serde::{Deserialize, Serialize};

/// The hardware address of a network card.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Whether it stands for several cards: broadcast and multicast.
    #[must_use]
    pub fn is_group(self) -> bool {
        self.0[0] & 1 == 1
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The addresses of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// Who it is for.
    pub destination: Mac,
    /// Who says that it sent it.
    pub source: Mac,
    /// Whether it is an announcement that QEMU sends for a card after it loaded a state.
    pub announcement: bool,
}

/// The addresses of `frame`; none if it is too short for an Ethernet header.
#[must_use]
pub fn addresses(frame: &[u8]) -> Option<Addresses> {
    let header = Ethernet2Slice::from_slice_without_fcs(frame).ok()?;
    let (destination, source) = (Mac(header.destination()), Mac(header.source()));
    Some(Addresses {
        destination,
        source,
        announcement: is_announcement(&header, source),
    })
}

/// The frame that QEMU's `announce_self_create` makes: a reverse ARP request that asks for the address of the
/// card that sends it.
fn is_announcement(header: &Ethernet2Slice<'_>, source: Mac) -> bool {
    const REVERSE_ARP: EtherType = EtherType(0x8035);
    const REVERSE_REQUEST: ArpOperation = ArpOperation(3);
    if header.ether_type() != REVERSE_ARP || header.destination() != [0xff; 6] {
        return false;
    }
    ArpPacketSlice::from_slice(header.payload().payload).is_ok_and(|arp| {
        arp.operation() == REVERSE_REQUEST
            && arp.sender_hw_addr() == source.0
            && arp.target_hw_addr() == source.0
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) const BROADCAST: u8 = 0xff;

    /// The address of the card number `number`; [`BROADCAST`] is everybody's.
    pub(crate) fn mac(number: u8) -> Mac {
        match number {
            BROADCAST => Mac([0xff; 6]),
            number => Mac([0x52, 0x54, 0, 0, 0, number]),
        }
    }

    /// A frame of `length` bytes from the card `source` to the card `destination`.
    pub(crate) fn frame(destination: u8, source: u8, length: usize) -> Vec<u8> {
        let mut frame = [mac(destination).0, mac(source).0].concat();
        frame.extend([0x88, 0xb5]);
        frame.resize(length.max(14), source);
        frame
    }

    /// What QEMU sends for the card `source` after it loaded a state.
    pub(crate) fn announcement(source: u8) -> Vec<u8> {
        let mut frame = [mac(BROADCAST).0, mac(source).0].concat();
        frame.extend([0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3]);
        frame.extend([&mac(source).0[..], &[0; 4], &mac(source).0, &[0; 4]].concat());
        frame.resize(60, 0);
        frame
    }

    #[test]
    fn addresses_are_read_and_announcements_known() {
        let found = addresses(&frame(2, 1, 60)).unwrap();
        assert_eq!(found.destination, mac(2));
        assert_eq!(found.source, mac(1));
        assert!(!found.announcement);
        assert!(addresses(&announcement(1)).unwrap().announcement);
        assert_eq!(mac(1).to_string(), "52:54:00:00:00:01");
        assert!(mac(BROADCAST).is_group() && !mac(1).is_group());
    }

    #[test]
    fn a_reverse_request_that_a_guest_made_is_no_announcement() {
        let mut asks_for_another = announcement(1);
        asks_for_another[37] = 9;
        let mut cut_short = announcement(1);
        cut_short.truncate(30);
        for frame in [asks_for_another, cut_short] {
            assert!(!addresses(&frame).unwrap().announcement);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_frame_or_too_short(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert_eq!(addresses(&bytes).is_some(), bytes.len() >= 14);
        }
    }
}
