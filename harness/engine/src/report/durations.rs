//! How long things usually take on this machine, from what they took before.
//!
//! A file in the cache holds the last times of each thing. It is a memory and no truth: where it is
//! missing, damaged or too short, nothing is claimed.

use std::{collections::BTreeMap, io, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::file;

/// The file's name in the cache.
pub const FILE: &str = "durations.json";

/// How many times of a thing are remembered.
const LAST: usize = 9;
/// From how many on there is something usual.
const ENOUGH: usize = 3;
/// How many things are remembered; a name that is made up anew each time must not fill the disk.
const THINGS: usize = 2_000;

/// What is remembered.
#[derive(Debug, Default)]
pub struct DurationHistory {
    path: Option<Utf8PathBuf>,
    known: Times,
    new: Vec<(String, u64)>,
}

/// Milliseconds by thing, the newest last.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Times(BTreeMap<String, Vec<u64>>);

impl DurationHistory {
    /// What `path` holds; nothing if that can't be read.
    #[must_use]
    pub fn read(path: &Utf8Path) -> Self {
        Self {
            path: Some(path.to_owned()),
            known: Times::read(path),
            new: vec![],
        }
    }

    /// How long `thing` usually takes: the median of its last times.
    #[must_use]
    pub fn of(&self, thing: &str) -> Option<Duration> {
        let mut times = self.known.0.get(thing)?.clone();
        if times.len() < ENOUGH {
            return None;
        }
        times.sort_unstable();
        Some(Duration::from_millis(times[times.len() / 2]))
    }

    /// Whether `so_far` is more than `typical` explains: half as much again, and some seconds.
    #[must_use]
    pub fn is_slow(typical: Duration, so_far: Duration) -> bool {
        so_far > typical + typical / 2 + Duration::from_secs(3)
    }

    /// Notes that `thing` took `took`.
    pub fn note(&mut self, thing: &str, took: Duration) {
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.new.push((thing.to_owned(), millis));
    }

    /// Keeps what was noted. Another process may have written meanwhile: what it noted stays.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn keep(&mut self) -> io::Result<()> {
        let (Some(path), false) = (&self.path, self.new.is_empty()) else {
            return Ok(());
        };
        let mut times = Times::read(path);
        for (thing, millis) in self.new.drain(..) {
            let list = times.0.entry(thing).or_default();
            list.push(millis);
            let surplus = list.len().saturating_sub(LAST);
            list.drain(..surplus);
        }
        while times.0.len() > THINGS {
            times.0.pop_first();
        }
        file::replace_json(path, &times)?;
        self.known = times;
        Ok(())
    }
}

impl Times {
    fn read(path: &Utf8Path) -> Self {
        let text = fs_err::read_to_string(path).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = Utf8Path::from_path(folder.path())
            .expect("UTF-8")
            .join(FILE);
        (folder, path)
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_median_of_the_last_times() {
        let (_folder, path) = file();
        let mut typical = DurationHistory::read(&path);
        for took in [100, 20, 22, 24, 23, 21, 20, 22, 90, 22, 21] {
            typical.note("layer booted", seconds(took));
        }
        typical.note("layer host", seconds(9));
        assert_eq!(typical.of("layer booted"), None, "not kept yet");
        typical.keep().expect("kept");
        let typical = DurationHistory::read(&path);
        assert_eq!(typical.of("layer booted"), Some(seconds(22)));
        assert_eq!(typical.of("layer host"), None, "once is not usual");
        assert_eq!(typical.of("layer deployed"), None);
        assert_eq!(typical.known.0["layer booted"].len(), LAST);
    }

    #[rstest::rstest]
    #[case("")]
    #[case("{\"layer booted\": [1, 2")]
    #[case("{\"layer booted\": \"soon\"}")]
    #[case("[]")]
    fn of_a_damaged_memory_nothing_is_claimed(#[case] text: &str) {
        let (_folder, path) = file();
        fs_err::write(&path, text).expect("written");
        let mut typical = DurationHistory::read(&path);
        assert_eq!(typical.of("layer booted"), None);
        typical.note("layer booted", seconds(1));
        typical.keep().expect("it is replaced");
        assert_eq!(
            DurationHistory::read(&path).known.0["layer booted"],
            [1_000]
        );
    }

    #[test]
    fn two_processes_keep_both() {
        let (_folder, path) = file();
        let (mut one, mut other) = (DurationHistory::read(&path), DurationHistory::read(&path));
        one.note("a", seconds(1));
        other.note("a", seconds(2));
        one.keep().expect("kept");
        other.keep().expect("kept");
        assert_eq!(DurationHistory::read(&path).known.0["a"], [1_000, 2_000]);
    }

    #[test]
    fn without_a_file_nothing_is_kept() {
        let mut typical = DurationHistory::default();
        typical.note("a", seconds(1));
        typical.keep().expect("nothing to do");
        let (folder, path) = file();
        drop(folder);
        let mut typical = DurationHistory::read(&path);
        typical.note("a", seconds(1));
        assert!(typical.keep().is_err());
    }

    #[test]
    fn slow_is_more_than_a_little() {
        assert!(!DurationHistory::is_slow(seconds(20), seconds(32)));
        assert!(DurationHistory::is_slow(seconds(20), seconds(34)));
        assert!(!DurationHistory::is_slow(seconds(0), seconds(3)));
    }
}
