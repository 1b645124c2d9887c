//! What a network does with frames, without sockets and clocks: links, switch, and the frames on their way.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::Duration,
};

use bytes::{Bytes, BytesMut};

use super::{
    impairment::{Direction, Impairment},
    link::{Fate, Lost, Passed},
    port::{NotTaken, Port},
    saved::Place,
    statistics::PortStatistics,
    switch::{FrameTarget, Switch},
};

/// Bytes that are delayed at most, in a whole network. What comes then is lost.
const MOST_DELAYED: usize = 64 << 20;

/// Notes that are kept at most.
const MOST_NOTES: usize = 100;

/// A frame for the recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordedFrame {
    pub(crate) port: usize,
    /// `Out` for a frame as its machine sent it, `In` for what happened to it later on the way to this port.
    pub(crate) direction: Direction,
    pub(crate) frame: Bytes,
    pub(crate) comment: Option<String>,
}

/// A frame on its way.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pending {
    pub(super) due: Duration,
    sequence: u64,
    pub(super) place: Place,
    pub(super) port: usize,
    pub(super) frame: Bytes,
}

/// What happened to a frame in one direction of the link at a port.
struct Remark {
    port: usize,
    direction: Direction,
    text: String,
}

impl Remark {
    fn new(port: usize, direction: Direction, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            port,
            direction,
            text,
        }
    }
}

/// The state of a network. `now` is the time since it was opened, and never goes back.
#[derive(Debug)]
pub(crate) struct Plane {
    pub(super) ports: Vec<Port>,
    pub(super) switch: Switch,
    pub(super) pending: BinaryHeap<Reverse<Pending>>,
    delayed: usize,
    sequence: u64,
    pub(super) frozen: bool,
    records: Option<Vec<RecordedFrame>>,
    notes: Vec<String>,
}

impl Plane {
    /// A network named `network`, with a port for each of `machines`.
    pub(crate) fn new(seed: u64, network: &str, machines: &[String]) -> Self {
        Self {
            ports: machines
                .iter()
                .map(|machine| Port::new(seed, network, machine))
                .collect(),
            switch: Switch::default(),
            pending: BinaryHeap::new(),
            delayed: 0,
            sequence: 0,
            frozen: false,
            records: None,
            notes: vec![],
        }
    }

    /// Makes records from now on, for [`Self::take_records`].
    pub(crate) fn record(&mut self) {
        self.records.get_or_insert_default();
    }

    /// Takes a frame that the machine at `port` sent.
    pub(crate) fn receive(&mut self, now: Duration, port: usize, frame: Bytes) {
        if self.frozen {
            if !self.push(now, Place::Sent, port, frame) {
                self.ports[port].statistics.out.queue_full += 1;
            }
        } else {
            self.sent(now, port, frame);
        }
    }

    /// Lets all frames arrive that are due.
    pub(crate) fn advance(&mut self, now: Duration) {
        while !self.frozen && self.next_due().is_some_and(|due| due <= now) {
            let Some(Reverse(next)) = self.pending.pop() else {
                return;
            };
            self.delayed -= next.frame.len();
            let mut remarks = vec![];
            match next.place {
                Place::Sent => self.sent(now, next.port, next.frame),
                Place::Out => {
                    self.leave(now, Direction::Out, next.port, &next.frame, &mut remarks);
                    self.remark(&next.frame, remarks);
                }
                Place::In | Place::Arrived => {
                    self.leave(now, Direction::In, next.port, &next.frame, &mut remarks);
                    self.remark(&next.frame, remarks);
                }
            }
        }
    }

    /// When the next frame is due; none while the network is frozen.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        let next = self.pending.peek()?;
        (!self.frozen).then_some(next.0.due)
    }

    /// Frames for the machine at `port`, up to about `most` bytes of them.
    pub(crate) fn take(&mut self, port: usize, most: usize) -> Vec<Bytes> {
        if self.frozen {
            return vec![];
        }
        self.ports[port].take(most)
    }

    /// The ports that have frames for their machines.
    pub(crate) fn ready(&self) -> impl Iterator<Item = usize> {
        let ports = self.ports.iter().enumerate();
        let frozen = self.frozen;
        ports
            .filter(move |(_, port)| !frozen && port.has_frames())
            .map(|(at, _)| at)
    }

    pub(crate) fn take_records(&mut self) -> Vec<RecordedFrame> {
        self.records
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    pub(crate) fn connect(&mut self, port: usize) {
        self.ports[port].connect();
    }

    pub(crate) fn disconnect(&mut self, port: usize) {
        let frozen = self.frozen;
        self.ports[port].disconnect(frozen);
    }

    /// Changes one direction of a link, or both.
    pub(crate) fn impair(&mut self, port: usize, direction: Direction, with: &Impairment) {
        for direction in direction.each() {
            self.ports[port].link(*direction).0.impairment = with.clone();
        }
    }

    /// Cuts one direction of a link, or both.
    pub(crate) fn cut(&mut self, port: usize, direction: Direction) {
        for direction in direction.each() {
            self.ports[port].link(*direction).0.cut = true;
        }
    }

    /// Takes back all impairments and cuts of a link.
    pub(crate) fn heal(&mut self, port: usize) {
        self.impair(port, Direction::Both, &Impairment::default());
        for direction in Direction::Both.each() {
            self.ports[port].link(*direction).0.cut = false;
        }
    }

    pub(crate) fn statistics(&self) -> BTreeMap<String, PortStatistics> {
        let ports = self.ports.iter();
        ports
            .map(|port| (port.name.clone(), port.statistics))
            .collect()
    }

    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Notes `text`, once.
    pub(crate) fn note(&mut self, text: String) {
        if self.notes.len() < MOST_NOTES && !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    pub(super) fn push(&mut self, due: Duration, place: Place, port: usize, frame: Bytes) -> bool {
        if self.delayed + frame.len() > MOST_DELAYED {
            return false;
        }
        self.delayed += frame.len();
        self.sequence += 1;
        self.pending.push(Reverse(Pending {
            due,
            sequence: self.sequence,
            place,
            port,
            frame,
        }));
        true
    }

    /// A frame enters the link of the machine that sent it. What is decided at once is in one record.
    fn sent(&mut self, now: Duration, port: usize, frame: Bytes) {
        let mut remarks = vec![];
        self.enter(now, Direction::Out, port, &frame, &mut remarks);
        let comment = self.comment(&remarks);
        self.push_record(port, Direction::Out, frame, comment);
    }

    fn push_record(
        &mut self,
        port: usize,
        direction: Direction,
        frame: Bytes,
        comment: Option<String>,
    ) {
        if let Some(records) = &mut self.records {
            records.push(RecordedFrame {
                port,
                direction,
                frame,
                comment,
            });
        }
    }

    /// A frame enters one direction of the link at `port`.
    fn enter(
        &mut self,
        now: Duration,
        direction: Direction,
        port: usize,
        frame: &Bytes,
        remarks: &mut Vec<Remark>,
    ) {
        let (link, counts) = self.ports[port].link(direction);
        let fate = link.decide(now, frame.len());
        let mut remark = |text: &str| remarks.push(Remark::new(port, direction, text));
        let passed = match fate {
            Fate::Lost(lost) => {
                let (count, text) = match lost {
                    Lost::Chance => (&mut counts.lost, "lost"),
                    Lost::Cut => (&mut counts.cut, "lost: the link is cut"),
                    Lost::QueueFull => (&mut counts.queue_full, "lost: the queue is full"),
                };
                *count += 1;
                return remark(text);
            }
            Fate::Passed(passed) => passed,
        };
        let Passed {
            due,
            duplicate,
            delay,
            reordered,
            corrupted,
        } = passed;
        if !delay.is_zero() {
            counts.delayed += 1;
            let ms = delay.as_secs_f64() * 1000.0;
            remark(&format!("delayed by {ms:.1} ms"));
        }
        if reordered {
            counts.reordered += 1;
            remark("held back, to be overtaken");
        }
        if duplicate.is_some() {
            counts.duplicated += 1;
            remark("duplicated");
        }
        let mut arrives = frame.clone();
        if let Some((byte, bits)) = corrupted {
            counts.corrupted += 1;
            remark(&format!("corrupted: byte {byte} changed by {bits:#04x}"));
            let mut changed = BytesMut::from(&frame[..]);
            changed[byte] ^= bits;
            arrives = changed.freeze();
        }
        for due in [Some(due), duplicate].into_iter().flatten() {
            if due <= now {
                self.leave(now, direction, port, &arrives, remarks);
            } else {
                let place = match direction {
                    Direction::Out => Place::Out,
                    Direction::In | Direction::Both => Place::In,
                };
                if !self.push(due, place, port, arrives.clone()) {
                    self.ports[port].link(direction).1.queue_full += 1;
                    remarks.push(Remark::new(port, direction, "lost: too much is in flight"));
                }
            }
        }
    }

    /// A frame has come to the end of one direction of the link at `port`.
    fn leave(
        &mut self,
        now: Duration,
        direction: Direction,
        port: usize,
        frame: &Bytes,
        remarks: &mut Vec<Remark>,
    ) {
        let (link, counts) = self.ports[port].link(direction);
        if link.cut {
            counts.cut += 1;
            return remarks.push(Remark::new(port, direction, "lost: the link is cut"));
        }
        if direction == Direction::Out {
            counts.frames += 1;
            counts.bytes += frame.len() as u64;
            return self.forward(now, port, frame, remarks);
        }
        if let Err(refused) = self.ports[port].offer(frame.clone()) {
            let text = match refused {
                NotTaken::NotConnected => "lost: not connected",
                NotTaken::NotRead => {
                    let name = &self.ports[port].name;
                    self.note(format!("port {name}: does not read, frames to it are lost"));
                    "lost: does not read"
                }
            };
            remarks.push(Remark::new(port, direction, text));
        }
    }

    /// A frame is in the switch.
    fn forward(&mut self, now: Duration, from: usize, frame: &Bytes, remarks: &mut Vec<Remark>) {
        let decision = self.switch.forward(now, from, frame);
        if let Some((mac, before)) = decision.moved {
            let (one, other) = (&self.ports[before].name, &self.ports[from].name);
            self.note(format!(
                "{mac} is at two ports: at {other}, and before at {one}"
            ));
        }
        match decision.target {
            FrameTarget::Port(to) => self.enter(now, Direction::In, to, frame, remarks),
            FrameTarget::All => {
                for to in (0..self.ports.len()).filter(|to| *to != from) {
                    self.enter(now, Direction::In, to, frame, remarks);
                }
            }
            FrameTarget::Nobody(why) => {
                self.ports[from].statistics.unforwarded += 1;
                remarks.push(Remark::new(from, Direction::Out, why.text()));
            }
        }
    }

    /// What became of a frame behind a delay gets records of its own.
    fn remark(&mut self, frame: &Bytes, remarks: Vec<Remark>) {
        for remark in remarks {
            let port = remark.port;
            let comment = self.comment(&[remark]);
            self.push_record(port, Direction::In, frame.clone(), comment);
        }
    }

    fn comment(&self, remarks: &[Remark]) -> Option<String> {
        if remarks.is_empty() || self.records.is_none() {
            return None;
        }
        let named = remarks.iter().map(|remark| {
            let name = &self.ports[remark.port].name;
            format!("{} {name}: {}", remark.direction.preposition(), remark.text)
        });
        Some(named.collect::<Vec<_>>().join("; "))
    }
}

#[cfg(test)]
#[path = "plane_tests.rs"]
mod tests;
