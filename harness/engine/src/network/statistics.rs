//! What a port saw, in numbers.

use serde::Serialize;

/// What happened to frames in one direction of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Frames that got through: sent by the machine into the switch, or given to the machine. A duplicate counts.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Lost by chance, as the impairment says.
    pub lost: u64,
    /// Lost because the link was cut.
    pub cut: u64,
    /// Lost because the queue of a link with a rate was full.
    pub queue_full: u64,
    /// Arrived later than they were sent.
    pub delayed: u64,
    /// Arrived twice.
    pub duplicated: u64,
    /// Held back, so that others overtook them.
    pub reordered: u64,
    /// Arrived with one bit turned.
    pub corrupted: u64,
    /// Lost because the machine was not connected, or did not read for too long.
    pub unread: u64,
}

/// What a port saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct PortStatistics {
    /// Whether the machine is connected now.
    pub connected: bool,
    /// How often it connected.
    pub connections: u64,
    /// What the machine sent.
    pub out: Counts,
    /// What the machine received.
    #[serde(rename = "in")]
    pub in_: Counts,
    /// Frames from it that no port was to get: announcements by QEMU, frames that are too short or go back to the
    /// port that they came from.
    pub unforwarded: u64,
}
