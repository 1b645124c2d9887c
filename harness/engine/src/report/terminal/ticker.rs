//! Lets time pass on a terminal where nothing else happens.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

/// How often the clocks move.
const TICK: Duration = Duration::from_millis(250);

/// Ends its thread when it is dropped.
pub(super) struct Ticker {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Ticker {
    /// Calls `tick` on `what` again and again. Where there can be no thread, clocks stand still.
    pub(super) fn start<T: Send + 'static>(what: Arc<Mutex<T>>, tick: fn(&mut T)) -> Self {
        let (stop, stopped) = mpsc::channel();
        let work = move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                tick(&mut what.lock().unwrap_or_else(PoisonError::into_inner));
            }
        };
        Self {
            stop: Some(stop),
            thread: thread::Builder::new()
                .name("terminal".into())
                .spawn(work)
                .ok(),
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
