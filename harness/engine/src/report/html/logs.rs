//! The logs of a trial, merged by time: commands, journals, console.

use jiff::Timestamp;
use serde::Serialize;

use super::{Part, words};
use crate::vm::journal::{BOOTED, PRIORITIES};

/// How many lines are shown of a trial that passed, and of one that did not: the last ones.
const PASSED: usize = 250;
const OTHER: usize = 3000;
/// How much is shown of what a command printed: the first lines.
const OUTPUT_LINES: usize = 60;
const OUTPUT_BYTES: usize = 8000;
/// What the markup around a line takes.
const MARKUP: usize = 90;

/// The merged logs of one trial.
#[derive(Debug, Default, Serialize)]
pub(super) struct Logs {
    pub(super) rows: Vec<LogRow>,
    /// How many lines before these are not shown.
    pub(super) cut: usize,
    /// The kinds of rows that there are, for the filter.
    pub(super) sources: Vec<&'static str>,
}

/// A line of a log, or a command with what it printed.
#[derive(Debug, Default, Serialize)]
pub(super) struct LogRow {
    #[serde(skip)]
    at: Option<Timestamp>,
    /// Seconds since the scenario began; empty if not known.
    time: String,
    /// `command`, `host`, `guest` or `console`.
    source: &'static str,
    /// Who speaks: `lab`, `host`, a container, `console`.
    who: String,
    /// `err`, `warning` or nothing.
    level: &'static str,
    text: String,
    /// What the command printed.
    more: String,
    /// How the command ended.
    status: String,
    /// Whether that was anything but success.
    failed: bool,
}

/// The logs of `part`, whose scenario began at `start` and passed or not; takes what they weigh from
/// `budget`.
pub(super) fn of(part: &Part, start: Option<Timestamp>, passed: bool, budget: &mut usize) -> Logs {
    let mut rows = commands(&part.commands);
    rows.extend(journal(&part.journal));
    rows.extend(console(&part.console, booted(&part.journal)));
    // What has no time at all was printed by a machine that soon printed nothing any more.
    rows.sort_by_key(|row| row.at.unwrap_or(Timestamp::MAX));
    let all = rows.len();
    // What the lab did is the thread through the rest: it is cut last.
    let commands = rows.iter().filter(|row| row.source == "command").count();
    let most = if passed { PASSED } else { OTHER };
    let mut others = most.saturating_sub(commands);
    let mut left = vec![];
    for mut row in rows.into_iter().rev() {
        if row.source != "command" {
            if others == 0 {
                continue;
            }
            others -= 1;
        } else if left.len() >= most {
            continue;
        }
        let weight = MARKUP + words::weight(&row.text) + words::weight(&row.more);
        if weight > *budget {
            *budget = 0;
            break;
        }
        *budget -= weight;
        row.time = since(start, row.at);
        left.push(row);
    }
    left.reverse();
    let sources = ["command", "host", "guest", "console"]
        .into_iter()
        .filter(|source| left.iter().any(|row| row.source == *source))
        .collect();
    Logs {
        cut: all - left.len(),
        rows: left,
        sources,
    }
}

fn since(start: Option<Timestamp>, at: Option<Timestamp>) -> String {
    let (Some(start), Some(at)) = (start, at) else {
        return String::new();
    };
    format!("{:.3}", at.duration_since(start).as_secs_f64())
}

/// Entries of `commands.log`: `TIME $ SCRIPT`, further lines of it behind `> `, what it printed, and
/// `-- how it ended`.
fn commands(log: &str) -> Vec<LogRow> {
    let mut rows: Vec<LogRow> = vec![];
    let mut in_script = false;
    for line in log.lines() {
        let begins = line
            .split_once(" $ ")
            .and_then(|(time, script)| Some((time.parse::<Timestamp>().ok()?, script)));
        if let Some((at, script)) = begins {
            in_script = true;
            rows.push(LogRow {
                at: Some(at),
                source: "command",
                who: "lab".into(),
                text: script.to_owned(),
                ..LogRow::default()
            });
            continue;
        }
        let Some(row) = rows.last_mut() else {
            continue;
        };
        let (text, line) = match line.strip_prefix("> ") {
            Some(rest) if in_script => (&mut row.text, rest),
            _ => {
                in_script = false;
                (&mut row.more, line)
            }
        };
        text.push('\n');
        *text += line;
    }
    for row in &mut rows {
        if let Some((container, script)) = in_container(&row.text) {
            row.who = words::clean(&container);
            row.text = script;
        }
        row.text = words::clean(&row.text);
        let more = words::clean(row.more.trim_start_matches('\n'));
        let (printed, status) = more.rsplit_once("\n").unwrap_or(("", &more));
        (row.more, row.status) = match status.strip_prefix("-- ") {
            Some(status) => (shortened(printed), status.to_owned()),
            None => (shortened(&more), String::new()),
        };
        row.failed = !row.status.starts_with("exit status 0 ");
    }
    rows
}

/// The container and the script of a command that [`crate::vm::container::Container`] runs in one, out of
/// what it wraps around it.
fn in_container(command: &str) -> Option<(String, String)> {
    let (container, rest) = command
        .strip_prefix("exec systemd-run -M '")?
        .split_once('\'')?;
    let (_, script) = rest.split_once(" -- /bin/sh -c '(")?;
    let (script, _) = script.rsplit_once("\n)\nstatus=$?; ")?;
    Some((container.to_owned(), script.replace(r"'\''", "'")))
}

/// The first lines of what a command printed.
fn shortened(text: &str) -> String {
    let mut short = String::new();
    let mut lines = text.lines();
    for (number, line) in lines.by_ref().enumerate() {
        if number >= OUTPUT_LINES || short.len() + line.len() > OUTPUT_BYTES {
            short += &format!("… ({} more lines)", 1 + lines.count());
            break;
        }
        short += line;
        short.push('\n');
    }
    short
}

/// Lines of `journal.txt`, as [`crate::journal`] writes them.
fn journal(log: &str) -> Vec<LogRow> {
    let mut rows: Vec<LogRow> = vec![];
    for line in log.lines() {
        if let (Some(rest), Some(row)) = (line.strip_prefix('\t'), rows.last_mut()) {
            row.text += "\n";
            row.text += rest;
            continue;
        }
        let mut words = line.splitn(4, ' ');
        let (Some(at), Some(machine), Some(priority), Some(text)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            continue;
        };
        let (Ok(at), Some(number)) = (
            at.parse::<Timestamp>(),
            PRIORITIES.iter().position(|name| *name == priority),
        ) else {
            continue;
        };
        rows.push(LogRow {
            at: Some(at),
            source: if machine == crate::verdict::finding::HOST {
                "host"
            } else {
                "guest"
            },
            who: words::clean(machine),
            level: match number {
                0..=3 => "err",
                4 => "warning",
                _ => "",
            },
            text: text.to_owned(),
            ..LogRow::default()
        });
    }
    for row in &mut rows {
        row.text = words::clean(&row.text);
    }
    rows
}

fn booted(journal: &str) -> Option<Timestamp> {
    let line = journal.lines().find_map(|line| line.strip_prefix(BOOTED))?;
    line.trim().parse().ok()
}

/// Lines of a console. The kernel counts seconds from the boot; what has no time comes right after
/// the line before it.
fn console(log: &str, booted: Option<Timestamp>) -> Vec<LogRow> {
    let mut last = None;
    log.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let line = words::clean(line);
            let stamp = line
                .strip_prefix('[')
                .and_then(|rest| rest.split_once(']'))
                .and_then(|(stamp, _)| stamp.trim().parse::<f64>().ok())
                .filter(|seconds| (0.0..1e6).contains(seconds));
            if let (Some(booted), Some(seconds)) = (booted, stamp) {
                last = Some(booted + std::time::Duration::from_secs_f64(seconds));
            }
            LogRow {
                at: last,
                source: "console",
                who: "console".into(),
                text: line,
                ..LogRow::default()
            }
        })
        .collect()
}
