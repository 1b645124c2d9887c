//! An output stream of a command: its beginning and its end are kept, whatever comes is read.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::MetadataExt,
    },
};

use serde::Serialize;

/// So much of a stream's beginning is kept, in bytes.
const HEAD: usize = 12 << 20;
/// So much of its end is kept, in bytes: a command in a container says there how it ended.
const TAIL: usize = 4 << 20;

/// What is missing in the middle of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Gap {
    /// How many bytes of what is kept stand before it.
    at: usize,
    /// How many bytes are missing.
    bytes: u64,
}

/// An output stream and what was read of it.
#[derive(Debug)]
pub(crate) struct Stream {
    pipe: Option<File>,
    head: Vec<u8>,
    // At most twice as much as is kept.
    tail: Vec<u8>,
    cut: u64,
}

impl Stream {
    /// Of the end of `pipe` that is read.
    pub(crate) fn new(pipe: Option<OwnedFd>) -> Self {
        Self {
            pipe: pipe.map(File::from),
            head: Vec::new(),
            tail: Vec::new(),
            cut: 0,
        }
    }

    /// What to wait for; none once the stream has ended.
    pub(crate) fn events(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Reads what is there, which must be something or the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) {
        if let Some(count) = self.read_some(buffer) {
            self.keep(&buffer[..count]);
        }
    }

    /// Reads what is there and drops it.
    pub(crate) fn drain(&mut self, buffer: &mut [u8]) {
        let _ = self.read_some(buffer);
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> Option<usize> {
        match self.pipe.as_mut()?.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => None,
            Ok(0) | Err(_) => {
                self.pipe = None;
                None
            }
            Ok(count) => Some(count),
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
        self.head.extend(head);
        self.tail.extend(rest);
        if self.tail.len() >= 2 * TAIL {
            self.shorten();
        }
    }

    fn shorten(&mut self) {
        let extra = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..extra);
        self.cut += extra as u64;
    }

    /// What is kept, and what is missing in it. The stream keeps nothing afterwards.
    pub(crate) fn kept(&mut self) -> (Vec<u8>, Option<Gap>) {
        self.shorten();
        let mut kept = std::mem::take(&mut self.head);
        let cut = (self.cut > 0).then_some(Gap {
            at: kept.len(),
            bytes: self.cut,
        });
        kept.append(&mut self.tail);
        (kept, cut)
    }
}

/// The processes that can still write to one of `streams`, as `NAME[PID]`, in the order of their numbers.
pub(crate) fn holders(streams: [&Stream; 2]) -> Vec<String> {
    let pipes: BTreeSet<u64> = streams
        .iter()
        .filter_map(|stream| Some(stream.pipe.as_ref()?.metadata().ok()?.ino()))
        .collect();
    if pipes.is_empty() {
        return vec![];
    }
    let links: Vec<String> = pipes.iter().map(|pipe| format!("pipe:[{pipe}]")).collect();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut pids: Vec<u32> = numbers
        .filter(|pid| *pid != std::process::id())
        .filter(|pid| {
            let fds = fs::read_dir(format!("/proc/{pid}/fd"));
            let mut fds = fds.into_iter().flatten().flatten();
            fds.any(|fd| {
                fs::read_link(fd.path())
                    .is_ok_and(|link| links.iter().any(|pipe| link.as_os_str() == pipe.as_str()))
            })
        })
        .collect();
    pids.sort_unstable();
    pids.into_iter()
        .map(|pid| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            format!("{}[{pid}]", name.trim())
        })
        .collect()
}
