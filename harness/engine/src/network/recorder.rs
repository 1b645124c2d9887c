//! The thread that writes a recording, so that no frame waits for a disk.

use std::{
    io::Write,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread::JoinHandle,
    time::Duration,
};

use super::{
    plane::RecordedFrame,
    recording::{Capture, Stamped},
};

/// Bytes that wait to be written at most. Frames beyond it are counted instead of recorded.
const MOST_WAITING: usize = 16 << 20;

/// Bytes that are written at once, about.
const BATCH: usize = 256 << 10;

/// A recording that goes on until this is dropped.
#[derive(Debug)]
pub(crate) struct Recorder {
    sender: Sender<Stamped>,
    waiting: Arc<AtomicUsize>,
    failure: RecordingError,
    missing: u64,
}

/// Why a recording ended early, once it did.
#[derive(Debug, Clone, Default)]
pub(crate) struct RecordingError(Arc<Mutex<Option<String>>>);

impl RecordingError {
    pub(crate) fn get(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, why: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }
}

fn weight(stamped: &Stamped) -> usize {
    stamped.record.frame.len() + 128
}

impl Recorder {
    /// Records into `capture`; the thread ends once the recorder is dropped and all is written.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn start<W: Write + Send + 'static>(
        capture: Capture<W>,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (sender, receiver) = mpsc::channel();
        let recorder = Self {
            sender,
            waiting: Arc::default(),
            failure: RecordingError::default(),
            missing: 0,
        };
        let (waiting, failure) = (recorder.waiting.clone(), recorder.failure.clone());
        let thread = std::thread::Builder::new()
            .name("recording".into())
            .spawn(move || {
                if let Err(error) = write(capture, &receiver, &waiting) {
                    failure.set(error.to_string());
                }
            })?;
        Ok((recorder, thread))
    }

    /// Records `records`, which happened at `time` after 1970.
    pub(crate) fn record(&mut self, time: Duration, records: Vec<RecordedFrame>) {
        for record in records {
            if self.waiting.load(Ordering::Relaxed) > MOST_WAITING {
                self.missing += 1;
                continue;
            }
            let stamped = Stamped {
                time,
                record,
                missing: std::mem::take(&mut self.missing),
            };
            let weight = weight(&stamped);
            self.waiting.fetch_add(weight, Ordering::Relaxed);
            if self.sender.send(stamped).is_err() {
                // The thread has ended, and said why.
                self.waiting.fetch_sub(weight, Ordering::Relaxed);
            }
        }
    }

    /// Why nothing is recorded any more.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.get()
    }

    /// Records nothing any more; the thread ends when all is written, and the value then says whether it was.
    pub(crate) fn end(self) -> RecordingError {
        self.failure
    }
}

fn write<W: Write>(
    mut capture: Capture<W>,
    receiver: &Receiver<Stamped>,
    waiting: &AtomicUsize,
) -> std::io::Result<()> {
    while let Ok(first) = receiver.recv() {
        let mut bytes = weight(&first);
        let mut batch = vec![first];
        while bytes < BATCH {
            let Ok(next) = receiver.try_recv() else {
                break;
            };
            bytes += weight(&next);
            batch.push(next);
        }
        let written = capture.write(&batch);
        waiting.fetch_sub(bytes, Ordering::Relaxed);
        written?;
    }
    Ok(())
}
