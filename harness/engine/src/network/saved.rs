//! A network whose machines are stopped, as plain data that can be kept and gone on with.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    ethernet::Mac,
    impairment::{Direction, Impairment},
};

/// The frames in flight of a network, and how it treats the next ones. Times are microseconds from when it was frozen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    /// The seed that decides on frames.
    pub seed: u64,
    /// Two for each machine.
    pub links: Vec<SavedLink>,
    /// In the order in which they arrive.
    pub frames: Vec<SavedFrame>,
    /// What the switch has learned.
    pub addresses: Vec<SavedAddress>,
}

/// One direction of a link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedLink {
    /// The machine at the end of the link.
    pub machine: String,
    /// Never both.
    pub direction: Direction,
    /// What it does to frames.
    pub impairment: Impairment,
    /// Whether nothing passes.
    pub cut: bool,
    /// Frames that it decided on already.
    pub decided: u64,
    /// Until when it is busy with frames that wait for their turn.
    pub free: u64,
    /// When the last frame arrives that keeps its order.
    pub last: u64,
}

/// A frame on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedFrame {
    /// How far it got.
    pub place: Place,
    /// The machine that sent it, or the one that it goes to once it is behind the switch.
    pub machine: String,
    /// When it arrives.
    pub due: u64,
    /// The frame itself, in base64.
    #[serde(with = "base64_text")]
    pub bytes: Bytes,
}

/// How far a frame got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The machine sent it, and nothing was decided yet.
    Sent,
    /// On its way to the switch.
    Out,
    /// Behind the switch, on its way to the machine.
    In,
    /// Arrived; the machine has not read it.
    Arrived,
}

/// An address that the switch has learned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedAddress {
    /// The address of a card.
    pub mac: Mac,
    /// The machine that has it.
    pub machine: String,
}

mod base64_text {
    use serde::{Deserializer, Serializer, de::Error as _};

    use super::*;

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = BASE64.decode(text).map_err(D::Error::custom)?;
        if bytes.len() > super::super::wire::LARGEST {
            return Err(D::Error::custom("no frame is that long"));
        }
        Ok(bytes.into())
    }
}
