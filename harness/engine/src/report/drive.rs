//! Feeds the reporters from the stream of events, on a thread of its own: neither a slow terminal nor
//! a slow disk holds up the run.

use std::{io, thread};

use tokio::sync::mpsc::UnboundedReceiver;

use super::{dir::Dir, run::Run};
use crate::verdict::event::Event;

/// Reporters at work.
#[derive(Debug)]
pub struct Driver(thread::JoinHandle<(Run, io::Result<()>)>);

/// Starts telling what comes from `events` to `tell` and in `dir`, until the run has finished or all
/// senders are gone. `tell` is mostly [`super::terminal::Terminal::tell`].
///
/// # Errors
/// The thread can't be started.
pub fn drive(
    mut events: UnboundedReceiver<Event>,
    mut tell: impl FnMut(&Event) + Send + 'static,
    dir: Option<Dir>,
) -> io::Result<Driver> {
    let started = jiff::Timestamp::now().to_string();
    let work = move || {
        let mut run = Run::new(started);
        let mut kept = Ok(());
        while let Some(event) = events.blocking_recv() {
            let changed = run.apply(&event);
            // The files first: when the terminal says where they are, they are there.
            if let (Some(dir), true) = (&dir, changed) {
                let written = write(dir, &run);
                if kept.is_ok() {
                    kept = written;
                }
            }
            tell(&event);
            // Somebody may hold a sender for ever.
            if run.summary.is_some() {
                break;
            }
        }
        (run, kept)
    };
    thread::Builder::new()
        .name("reporters".into())
        .spawn(work)
        .map(Driver)
}

fn write(dir: &Dir, run: &Run) -> io::Result<()> {
    dir.write_json(run)?;
    if run.summary.is_some() {
        dir.write_junit(run)?;
        dir.write_html(run)?;
    }
    Ok(())
}

impl Driver {
    /// Waits until all has been told: after [`Event::RunFinished`], or when every sender is gone.
    /// What was told comes back.
    ///
    /// Blocks: from async code call it through `spawn_blocking`.
    ///
    /// # Errors
    /// The first file that could not be written. All else has been told nevertheless.
    pub fn finish(self) -> (Run, io::Result<()>) {
        self.0
            .join()
            .unwrap_or_else(|payload| std::panic::resume_unwind(payload))
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;

    use super::*;
    use crate::{
        report::{json, sample},
        verdict::event::Events,
    };

    fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).expect("UTF-8");
        (folder, path)
    }

    #[test]
    fn what_happened_is_in_the_files() {
        let (_folder, path) = folder();
        let dir = Dir::at(&path).expect("made");
        let (events, receiver) = Events::channel();
        let driver = drive(receiver, |_| (), Some(dir)).expect("a thread");
        for event in sample::events() {
            events.send(event);
        }
        drop(events);
        let (run, kept) = driver.finish();
        kept.expect("written");
        let text = fs_err::read_to_string(path.join("run.json")).expect("there");
        assert_eq!(json::read(&text), Ok(run));
        assert!(path.join("junit.xml").exists());
        assert!(path.join("report.html").exists());
    }

    #[test]
    fn a_report_that_cannot_be_written_is_told_at_the_end() {
        let (_folder, path) = folder();
        let dir = Dir::at(&path).expect("made");
        fs_err::remove_file(path.join("run.json")).expect("there");
        fs_err::create_dir(path.join("run.json")).expect("made");
        let (events, receiver) = Events::channel();
        let driver = drive(receiver, |_| (), Some(dir)).expect("a thread");
        events.send(Event::RunFinished(Box::default()));
        drop(events);
        let error = driver.finish().1.expect_err("can't be written");
        assert!(error.to_string().contains("run.json"), "{error}");
    }
}
