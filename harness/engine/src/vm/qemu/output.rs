//! How a command in the VM ended, and what it printed.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

use crate::util::error::{Error, Result};

/// How a command in the VM ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit status, or the signal that ended it.
    pub status: Status,
    /// Standard output; bytes that are not UTF-8 are replaced. Of more than 16 MiB the first 12 MiB and the last
    /// 4 MiB, with a line between them that says how much was cut.
    pub stdout: String,
    /// Standard error, likewise.
    pub stderr: String,
    /// What is odd about the output, a sentence each: that something was cut, or who holds it open.
    pub notes: Vec<String>,
}

/// The end of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It exited with this code.
    Exit(i32),
    /// It was ended by this signal.
    Signal(i32),
}

impl Status {
    /// Whether it is exit status 0.
    #[must_use]
    pub fn success(self) -> bool {
        self == Self::Exit(0)
    }

    /// The exit status, if it exited.
    #[must_use]
    pub fn code(self) -> Option<i32> {
        match self {
            Self::Exit(code) => Some(code),
            Self::Signal(_) => None,
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "exit status {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// The answer to `guest-exec-status`, and to the lab's own `spawnlab-run`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ExecStatus {
    pub(super) exited: bool,
    exitcode: Option<i32>,
    signal: Option<i32>,
    #[serde(default)]
    out_data: String,
    #[serde(default)]
    err_data: String,
    // qemu-ga drops what comes after 16 MiB, and does not say how much.
    #[serde(default)]
    out_truncated: bool,
    #[serde(default)]
    err_truncated: bool,
    // The lab's own agent drops the middle.
    out_cut: Option<Cut>,
    err_cut: Option<Cut>,
    #[serde(default)]
    held_by: Vec<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Cut {
    at: usize,
    bytes: u64,
}

impl ExecStatus {
    /// What the command came to.
    ///
    /// # Errors
    /// When the agent's answer is none.
    pub(super) fn output(self) -> Result<Output> {
        let mut notes = vec![];
        let stdout = stream(
            &self.out_data,
            self.out_cut,
            self.out_truncated,
            "output",
            &mut notes,
        )?;
        let stderr = stream(
            &self.err_data,
            self.err_cut,
            self.err_truncated,
            "errors",
            &mut notes,
        )?;
        if !self.held_by.is_empty() {
            let processes = self.held_by.join(", ");
            notes.push(format!("its output is still held open by {processes}"));
        }
        Ok(Output {
            status: match (self.exitcode, self.signal) {
                (Some(code), _) => Status::Exit(code),
                (None, Some(signal)) => Status::Signal(signal),
                (None, None) => {
                    return Err(Error::answer("qemu-ga", "neither exit code nor signal"));
                }
            },
            stdout,
            stderr,
            notes,
        })
    }
}

/// The text of a stream, with a line where something is missing, which is noted, too.
fn stream(
    data: &str,
    cut: Option<Cut>,
    truncated: bool,
    name: &str,
    notes: &mut Vec<String>,
) -> Result<String> {
    let bytes = STANDARD
        .decode(data)
        .map_err(|error| Error::answer("qemu-ga", error))?;
    let (at, note) = match cut {
        Some(cut) => (
            cut.at.min(bytes.len()),
            format!("{} bytes of its {name} were cut", cut.bytes),
        ),
        None if truncated => (
            bytes.len(),
            format!("its {name} were cut after {} bytes", bytes.len()),
        ),
        None => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
    };
    let (head, tail) = bytes.split_at(at);
    let text = format!(
        "{}\n[spawnlab: {note}]\n{}",
        String::from_utf8_lossy(head),
        String::from_utf8_lossy(tail)
    );
    notes.push(note);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn output(mut answer: Value) -> Output {
        answer["exited"] = true.into();
        answer["exitcode"] = 0.into();
        let status: ExecStatus = serde_json::from_value(answer).unwrap();
        status.output().unwrap()
    }

    /// <https://github.com/hugelgupf/vmtest/issues/91>
    #[test]
    fn vmtest_91_what_was_cut_is_said_where_it_is_missing() {
        let output = output(json!({ "out-data": "aGk=", "out-cut": { "at": 1, "bytes": 70 } }));
        assert_eq!(
            output.stdout,
            "h\n[spawnlab: 70 bytes of its output were cut]\ni"
        );
        assert_eq!(output.notes, ["70 bytes of its output were cut"]);
        assert!(output.status.success());
    }

    /// <https://github.com/hugelgupf/vmtest/issues/91>
    #[test]
    fn vmtest_91_what_qemu_ga_cut_is_said_at_the_end() {
        let output = output(json!({ "err-data": "aGk=", "err-truncated": true }));
        assert_eq!(
            output.stderr,
            "hi\n[spawnlab: its errors were cut after 2 bytes]\n"
        );
        assert_eq!(output.notes.len(), 1);
    }

    /// <https://github.com/NixOS/nixpkgs/issues/144875>
    #[test]
    fn nixpkgs_144875_who_holds_the_output_open_is_named() {
        let output = output(json!({ "out-data": "dXA=", "held-by": ["sleep[812]"] }));
        assert_eq!(output.stdout, "up");
        assert_eq!(
            output.notes,
            ["its output is still held open by sleep[812]"]
        );
    }
}
