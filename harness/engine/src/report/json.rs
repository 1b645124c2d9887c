//! `run.json`: a run for programs.
//!
//! | field | shape |
//! | --- | --- |
//! | `version` | number, 1; a reader refuses what it does not know |
//! | `started` | string, UTC, RFC 3339 |
//! | `selected` | number of scenarios that were to run |
//! | `request` | absent if no command can ask for it again, else `command` (`run` or `prove`), `again`: strings; `options`, `scenarios`: strings; `repeat`: number; paths in `options` are as they were given |
//! | `environment` | null until known, else `image`, `accelerator`, `tool`: strings; `versions`, `variables` (only if there are some): objects of strings; `inputs`: string, a digest of all that verdicts may depend on |
//! | `steps[]` | `step`, `started` (UTC, RFC 3339): strings; `took_ms`: number; `result` or `error`: string |
//! | `records[]` | `name`, `claim`, `evidence` (relative to this file), `again`: strings; `started`: string, UTC, RFC 3339, absent if it never began; `took_ms`: number; `verdict` and its fields |
//! | `summary` | null until the end, else `counts`: object of numbers; `as_expected`, `interrupted`: booleans; `took_ms`: number; `error`: string, only if no scenario could be run |
//!
//! | `verdict` | fields next to it |
//! | --- | --- |
//! | `passed`, `interrupted` | |
//! | `failed` | `assertion`, `expected`, `seen`: strings; `hop`: string or null; `lines`: strings |
//! | `expected-failure` | `tracker`: string; `failure`: object with the fields of `failed` |
//! | `unexpected-pass` | `tracker`: string |
//! | `flaky` | `passed`, `runs`: numbers; `others`: strings, what the runs that did not pass came to |
//! | `unstable` | `failures`, `runs`, `clean`: numbers; `gates`: boolean, whether it makes the run other than expected |
//! | `skipped` | `why`: string |
//! | `timed-out` | `phase`, `last`: strings; `waited_ms`: number |
//! | `infrastructure` | `error`: string |
//!
//! The file is replaced whole after every scenario, so a killed run leaves one with `summary` null.
//! A scenario's `verdict.json` is one of `records`.

use super::run::{Run, VERSION};
use crate::util::layout;

/// `run` as the text of `run.json`.
///
/// # Errors
/// None that [`Run`]'s types can cause.
pub fn render(run: &Run) -> serde_json::Result<String> {
    layout::render(run)
}

/// The run that `text` describes.
///
/// # Errors
/// A text for the user, if it is no such file or one of another version.
pub fn read(text: &str) -> Result<Run, String> {
    layout::read(text, VERSION, "run")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn everything_is_there() {
        insta::assert_snapshot!(render(&sample::run()).expect("serialises"));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let run = sample::run();
        assert_eq!(read(&render(&run).expect("serialises")), Ok(run));
    }

    #[test]
    fn another_version_is_refused() {
        let text = render(&sample::run()).expect("serialises");
        let newer = text.replacen("\"version\": 1", "\"version\": 2", 1);
        let error = read(&newer).expect_err("unknown");
        assert!(error.contains("version 2"), "{error}");
        assert!(read("{}").is_err());
        assert!(read("nonsense").is_err());
    }
}
