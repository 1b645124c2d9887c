//! Journals as the lab keeps them: those of a host and of its guests in one, merged by time.
//!
//! They are read as `journalctl -o json`, whose fields say more than its text does, and kept as text,
//! one line a record:
//!
//! ```text
//! 2026-03-09T10:00:01.250000Z web warning systemd[1]: nginx.service: Failed with result 'exit-code'.
//! ```
//!
//! Further lines of a message begin with a tab. What is no text is shown with its control characters
//! escaped.

use std::{collections::BTreeMap, fmt::Write};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::verdict::finding::HOST;

/// The most records that are read; of more, the last.
pub const MOST: usize = 5000;

/// The fields of a record that somebody here reads, besides its time.
pub const FIELDS: &str = "MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,_COMM,SYSLOG_PID,_PID,_MACHINE_ID,_TRANSPORT,MESSAGE_ID,\
UNIT,USER_UNIT,_SYSTEMD_UNIT,UNIT_RESULT,JOB_RESULT,EXIT_CODE,EXIT_STATUS,COREDUMP_COMM";

/// A record of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// When it was received.
    pub at: Timestamp,
    /// How long the machine's kernel had run then, in microseconds.
    pub uptime: i64,
    /// [`HOST`], the container's name, or a machine id that belongs to neither.
    pub machine: String,
    /// Syslog's number, 0 (emergency) to 7 (debug).
    pub priority: u8,
    /// Who says it.
    pub identifier: String,
    /// Its process, as the machine numbers them; empty for the kernel.
    pub pid: String,
    /// What it says; may have several lines.
    pub message: String,
    /// Whether it came through the kernel's buffer.
    pub from_kernel: bool,
    /// The 128 bits, in hexadecimal, that say what kind of message it is.
    pub id: String,
    /// The unit that systemd speaks of.
    pub unit: String,
    /// The unit that the process which says it runs in; of a user's manager, `user@NUMBER.service`.
    pub logged_by: String,
    /// How a unit ended that did not end well, such as `exit-code`, `signal` or `timeout`.
    pub result: String,
    /// How a job ended, such as `done` or `failed`.
    pub job_result: String,
    /// `exited`, `killed` or `dumped`.
    pub exit_code: String,
    /// The status, or the signal's number.
    pub exit_status: String,
    /// The program whose core was dumped.
    pub dumped: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Raw {
    #[serde(rename = "__REALTIME_TIMESTAMP")]
    at: String,
    #[serde(rename = "__MONOTONIC_TIMESTAMP")]
    uptime: String,
    #[serde(flatten)]
    fields: BTreeMap<String, Value>,
}

/// Reads what the lab's script printed: lines `ID NAME` that say which machine is which container,
/// and records as JSON objects, one a line. Lines that are neither are passed over, such as the last
/// one of an output that was cut.
#[must_use]
pub fn parse(output: &str) -> Vec<JournalEntry> {
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    let mut entries = Vec::new();
    for line in output.lines() {
        if !line.starts_with('{') {
            if let Some((id, name)) = line.split_once(' ') {
                names.insert(id, name);
            }
            continue;
        }
        let Ok(raw) = serde_json::from_str::<Raw>(line) else {
            continue;
        };
        entries.extend(entry(&raw, &names));
    }
    entries
}

fn entry(raw: &Raw, names: &BTreeMap<&str, &str>) -> Option<JournalEntry> {
    let at = Timestamp::from_microsecond(raw.at.parse().ok()?).ok()?;
    let field = |name: &str| text(raw.fields.get(name));
    let first = |one: &str, other: &str| {
        let value = field(one);
        if value.is_empty() {
            field(other)
        } else {
            value
        }
    };
    let id = field("_MACHINE_ID");
    let machine = names.get(id.as_str()).copied().unwrap_or(&id).to_owned();
    Some(JournalEntry {
        at,
        uptime: raw.uptime.parse().unwrap_or_default(),
        machine,
        priority: field("PRIORITY").parse().unwrap_or(6),
        identifier: first("SYSLOG_IDENTIFIER", "_COMM"),
        pid: first("SYSLOG_PID", "_PID"),
        message: match raw.fields.get("MESSAGE") {
            Some(Value::Null) => "(too long for journalctl to show)".to_owned(),
            _ => field("MESSAGE"),
        },
        from_kernel: field("_TRANSPORT") == "kernel",
        id: field("MESSAGE_ID"),
        unit: first("UNIT", "USER_UNIT"),
        logged_by: field("_SYSTEMD_UNIT"),
        result: field("UNIT_RESULT"),
        job_result: field("JOB_RESULT"),
        exit_code: field("EXIT_CODE"),
        exit_status: field("EXIT_STATUS"),
        dumped: field("COREDUMP_COMM"),
    })
}

/// A field's value: journalctl prints bytes that are no text as an array of numbers, a field that is
/// there twice as an array of values, and one that is too long as null.
fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let bytes: Option<Vec<u8>> = parts
                .iter()
                .map(|part| part.as_u64().and_then(|byte| u8::try_from(byte).ok()))
                .collect();
            match bytes {
                Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                None => text(parts.first()),
            }
        }
        _ => String::new(),
    }
}

/// The names that syslog gives to priorities, by their numbers.
pub const PRIORITIES: [&str; 8] = [
    "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
];

/// What stands before the time at which the host booted, in the text that is kept: a console counts
/// from there.
pub const BOOTED: &str = "# the host booted at ";

/// What is missing in `entries`, a sentence each, where `notes` say what is odd about the output that they were read
/// from.
#[must_use]
pub fn missing(entries: &[JournalEntry], notes: &[String]) -> Vec<String> {
    let mut missing = vec![];
    if entries.len() >= MOST {
        missing.push(format!("only the last {MOST} records; there were more"));
    }
    missing.extend(
        notes
            .iter()
            .map(|note| format!("records are missing between these: of journalctl, {note}")),
    );
    missing
}

/// `entries`, of which `missing` is not there, as the text that is kept.
#[must_use]
pub fn render(entries: &[JournalEntry], missing: &[String]) -> String {
    let mut text = String::new();
    for missing in missing {
        let _ = writeln!(text, "# {missing}");
    }
    let booted = entries
        .iter()
        .rfind(|entry| entry.machine == HOST && entry.uptime > 0)
        .and_then(|entry| {
            Timestamp::from_microsecond(entry.at.as_microsecond() - entry.uptime).ok()
        });
    if let Some(booted) = booted {
        let _ = writeln!(text, "{BOOTED}{booted:.6}");
    }
    for entry in entries {
        let priority = PRIORITIES
            .get(usize::from(entry.priority))
            .copied()
            .unwrap_or("debug");
        let process = match entry.pid.as_str() {
            "" => String::new(),
            pid => format!("[{pid}]"),
        };
        let message = printable(&entry.message).replace('\n', "\n\t");
        let _ = writeln!(
            text,
            "{:.6} {} {priority} {}{process}: {message}",
            entry.at,
            word(&entry.machine),
            word(&entry.identifier),
        );
    }
    text
}

/// `name` without what would end a word of a line; never empty.
fn word(name: &str) -> String {
    let name: String = name
        .chars()
        .map(|c| {
            if c.is_whitespace() || c.is_control() {
                '_'
            } else {
                c
            }
        })
        .collect();
    if name.is_empty() { "-".into() } else { name }
}

/// `text` with its control characters escaped, but for line ends and tabs.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.trim_end().chars() {
        if c.is_control() && c != '\n' && c != '\t' {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_host_and_guest_become_lines() {
        let output = r#"1941b56eaa3240edbdf3684bc88825be host
d243f2d6b0f240e1be9c9d11d6bf5e45 web
{"__REALTIME_TIMESTAMP":"1773050401250000","_MACHINE_ID":"1941b56eaa3240edbdf3684bc88825be","PRIORITY":"6","SYSLOG_IDENTIFIER":"systemd","_PID":"1","MESSAGE":"Started a.service."}
{"__REALTIME_TIMESTAMP":"1773050401250001","_MACHINE_ID":"d243f2d6b0f240e1be9c9d11d6bf5e45","PRIORITY":"4","SYSLOG_IDENTIFIER":"systemd","_PID":"1","UNIT":"a.service","MESSAGE":"a.service: Failed with result 'exit-code'."}
{"__REALTIME_TIMESTAMP":"1773050402000000","__MONOTONIC_TIMESTAMP":"42000000","_MACHINE_ID":"1941b56eaa3240edbdf3684bc88825be","PRIORITY":"2","_TRANSPORT":"kernel","SYSLOG_IDENTIFIER":"kernel","MESSAGE":"two\nlines"}
{"__REALTIME_TIMESTAMP":"1773050403000000","_MACHINE_ID":"ffffffffffffffffffffffffffffffff","_COMM":"odd name","MESSAGE":[104,105,27,91,49,109,255]}
{"__REALTIME_TIMESTAMP":"1773050404000000","MESSAGE":null,"SYSLOG_IDENTIFIER":["one","two"]}
{"__REALTIME_TIMESTAMP":"cut of"#;
        insta::assert_snapshot!(render(&parse(output), &[]), @r"
        # the host booted at 2026-03-09T09:59:20.000000Z
        2026-03-09T10:00:01.250000Z host info systemd[1]: Started a.service.
        2026-03-09T10:00:01.250001Z web warning systemd[1]: a.service: Failed with result 'exit-code'.
        2026-03-09T10:00:02.000000Z host crit kernel: two
        	lines
        2026-03-09T10:00:03.000000Z ffffffffffffffffffffffffffffffff info odd_name: hi\u{1b}[1m�
        2026-03-09T10:00:04.000000Z - info one: (too long for journalctl to show)
        ");
    }

    /// <https://github.com/hugelgupf/vmtest/issues/91>
    #[test]
    fn vmtest_91_what_was_cut_of_a_journal_is_said() {
        let line = r#"{"__REALTIME_TIMESTAMP":"1773050401250000","MESSAGE":"again"}"#;
        let entries = parse(&vec![line; MOST].join("\n"));
        let text =
            |entries: &[JournalEntry], notes: &[String]| render(entries, &missing(entries, notes));
        assert!(text(&entries, &[]).starts_with("# only the last 5000 records"));
        assert!(!text(&entries[1..], &[]).contains('#'));
        let notes = ["70 bytes of its output were cut".to_owned()];
        insta::assert_snapshot!(text(&entries[4999..], &notes).lines().next().unwrap_or_default(), @"# records are missing between these: of journalctl, 70 bytes of its output were cut");
    }

    #[test]
    fn nonsense_is_nothing() {
        for nonsense in [
            "",
            "\n\n",
            "{}",
            "{\"__REALTIME_TIMESTAMP\":7}",
            "{[",
            "-- No entries --",
        ] {
            assert_eq!(parse(nonsense), [], "{nonsense}");
        }
    }
}
