//! What went over a network, as a file in the pcapng format.

use std::{
    borrow::Cow,
    io::{self, Write},
    time::Duration,
};

use camino::Utf8PathBuf;
use fs_err::File;
use pcap_file::{
    DataLink,
    pcapng::{
        PcapNgWriter,
        blocks::{
            enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption},
            interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption},
            section_header::{SectionHeaderBlock, SectionHeaderOption},
        },
    },
};

use super::{impairment::Direction, plane::RecordedFrame};

/// Where a network is recorded, and how much of it.
#[derive(Debug, Clone)]
pub struct Recording {
    /// The file; one that exists is written anew.
    pub file: Utf8PathBuf,
    /// Bytes of the file at most. The last frame that fits says in its comment that the recording ends with it.
    pub limit: u64,
}

impl Recording {
    /// Into `file`, 64 MiB of it at most.
    pub fn new(file: impl Into<Utf8PathBuf>) -> Self {
        Self {
            file: file.into(),
            limit: 64 << 20,
        }
    }
}

/// A frame with the time since 1970 at which it is recorded.
#[derive(Debug)]
pub(crate) struct Stamped {
    pub(crate) time: Duration,
    pub(crate) record: RecordedFrame,
    /// Frames before it that could not be recorded, since the disk was too slow for them.
    pub(crate) missing: u64,
}

/// The file that is being written. Only whole blocks are handed to the kernel, so that what a killed lab leaves is
/// readable.
pub(crate) struct Capture<W: Write> {
    blocks: PcapNgWriter<Vec<u8>>,
    to: W,
    room: u64,
    full: bool,
}

/// Room that is kept for the last frame, which is cut to [`LAST_FRAME`] bytes, and for its comment.
const LAST_WORDS: u64 = 256;
const LAST_FRAME: usize = 64;

impl Capture<File> {
    /// Creates the file of `recording`, with an interface for each of `machines` of the network `network`.
    ///
    /// # Errors
    /// When the file can't be written.
    pub(crate) fn create(
        recording: &Recording,
        network: &str,
        machines: &[String],
    ) -> io::Result<Self> {
        Self::begin(
            File::create(&recording.file)?,
            recording.limit,
            network,
            machines,
        )
    }
}

impl<W: Write> Capture<W> {
    fn begin(mut to: W, limit: u64, network: &str, machines: &[String]) -> io::Result<Self> {
        let mut blocks = PcapNgWriter::with_section_header(vec![], section(network))
            .map_err(io::Error::other)?;
        for machine in machines {
            blocks
                .write_pcapng_block(interface(machine))
                .map_err(io::Error::other)?;
        }
        let header = std::mem::take(blocks.get_mut());
        to.write_all(&header)?;
        Ok(Self {
            blocks,
            to,
            room: limit.saturating_sub(header.len() as u64 + LAST_WORDS),
            full: false,
        })
    }

    /// Appends `batch` in one go, as far as there is room.
    ///
    /// # Errors
    /// When the file can't be written.
    pub(crate) fn write(&mut self, batch: &[Stamped]) -> io::Result<()> {
        for stamped in batch {
            if self.full {
                break;
            }
            let before = self.blocks.get_ref().len();
            self.packet(stamped, &stamped.record.frame, stamped.comment())?;
            let length = (self.blocks.get_ref().len() - before) as u64;
            self.full = length > self.room;
            if self.full {
                self.blocks.get_mut().truncate(before);
                let frame = &stamped.record.frame;
                let words = "the recording ends with this frame: the file has its greatest size";
                self.packet(
                    stamped,
                    &frame[..frame.len().min(LAST_FRAME)],
                    Some(words.into()),
                )?;
            }
            self.room = self.room.saturating_sub(length);
        }
        let blocks = std::mem::take(self.blocks.get_mut());
        self.to.write_all(&blocks)
    }

    fn packet(
        &mut self,
        stamped: &Stamped,
        data: &[u8],
        comment: Option<String>,
    ) -> io::Result<()> {
        const INBOUND: u32 = 1;
        const OUTBOUND: u32 = 2;
        let record = &stamped.record;
        // As the switch sees it: what a machine sends comes in.
        let mut options = vec![EnhancedPacketOption::Flags(match record.direction {
            Direction::Out => INBOUND,
            Direction::In | Direction::Both => OUTBOUND,
        })];
        options.extend(comment.map(|text| EnhancedPacketOption::Comment(text.into())));
        let packet = EnhancedPacketBlock {
            interface_id: u32::try_from(record.port).unwrap_or(u32::MAX),
            timestamp: stamped.time,
            original_len: u32::try_from(record.frame.len()).unwrap_or(u32::MAX),
            data: Cow::Borrowed(data),
            options,
        };
        self.blocks
            .write_pcapng_block(packet)
            .map_err(io::Error::other)?;
        Ok(())
    }
}

impl Stamped {
    fn comment(&self) -> Option<String> {
        let own = self.record.comment.as_deref();
        let missing = (self.missing > 0).then(|| {
            let missing = self.missing;
            format!("{missing} frames before this one were not recorded: the disk was too slow")
        });
        let both: Vec<&str> = missing.as_deref().into_iter().chain(own).collect();
        (!both.is_empty()).then(|| both.join("; "))
    }
}

fn section(network: &str) -> SectionHeaderBlock<'static> {
    SectionHeaderBlock {
        options: vec![
            SectionHeaderOption::Comment(format!("the network {network}").into()),
            SectionHeaderOption::UserApplication("spawnlab".into()),
        ],
        ..SectionHeaderBlock::default()
    }
}

fn interface(machine: &str) -> InterfaceDescriptionBlock<'static> {
    InterfaceDescriptionBlock {
        linktype: DataLink::ETHERNET,
        // No bound: frames are recorded whole.
        snaplen: 0,
        options: vec![
            InterfaceDescriptionOption::IfName(machine.to_owned().into()),
            // Nanoseconds, which is how the crate writes times.
            InterfaceDescriptionOption::IfTsResol(9),
        ],
    }
}

#[cfg(test)]
#[path = "recording_tests.rs"]
mod tests;
