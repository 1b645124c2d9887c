//! Looks through a console and journals for what no healthy machine does.
//!
//! Journals are judged by systemd's message ids and fields where there are any, and by the kernel's
//! words only where it was the kernel's buffer that they came through: what a service prints about a
//! panic of its own is no panic.
//!
//! A transient unit that got its name from `systemd-run` is a command, and whoever ran it was told how
//! it ended: that it failed is no finding. Neither is what a manager terminates because it ends itself.

mod ending;

use ending::EndingManagers;

use crate::{
    verdict::finding::{Finding, FindingKind, HOST},
    vm::journal::JournalEntry,
};

/// The kernel's words for trouble; they have not changed in years. The first that is found counts.
const KERNEL: [(&str, FindingKind); 12] = [
    ("Kernel panic", FindingKind::KernelPanic),
    ("ut of memory: Killed process", FindingKind::OomKill),
    // A program's fault, not the kernel's own: `traps: NAME[PID] general protection fault ip:...`.
    ("traps: ", FindingKind::CoreDump),
    ("]: segfault at ", FindingKind::CoreDump),
    ("Oops:", FindingKind::KernelOops),
    ("BUG: ", FindingKind::KernelOops),
    ("general protection fault", FindingKind::KernelOops),
    ("kernel BUG at", FindingKind::KernelOops),
    ("soft lockup", FindingKind::KernelOops),
    ("blocked for more than", FindingKind::KernelOops),
    ("EXT4-fs error", FindingKind::KernelOops),
    ("I/O error, dev ", FindingKind::KernelOops),
];

/// What else a console shows: the words of systemd and of the shells that it falls back to.
const CONSOLE: [(&str, FindingKind); 4] = [
    ("You are in emergency mode", FindingKind::EmergencyShell),
    ("You are in rescue mode", FindingKind::EmergencyShell),
    ("systemd[1]: Freezing execution", FindingKind::CoreDump),
    (BROKEN_CYCLE, FindingKind::OrderingCycle),
];

const BROKEN_CYCLE: &str = " deleted to break ordering cycle";

/// Ids of systemd's messages (`sd-messages.h`).
mod id {
    pub(super) const CORE_DUMPED: &str = "fc2e22bc6ee647b6b90729ab34a250b1";
    pub(super) const UNIT_STARTING: &str = "7d4958e842da4a758f6c1cdc7b36dcc5";
    pub(super) const UNIT_STOPPING: &str = "de5b426a63be47a7b6ac3eaac82e2f6f";
    pub(super) const UNIT_STARTED: &str = "39f53479d3a045ac8e11786248231fbf";
    pub(super) const START_FAILED: &str = "be02cf6855d2428ba40df7e9d022f03d";
    pub(super) const UNIT_FAILED: &str = "d9b373ed55a64feb8242e02dbe79a49c";
    pub(super) const PROCESS_EXITED: &str = "98e322203f7a4ed290d09fe03c09fe15";
    pub(super) const UNIT_OUT_OF_MEMORY: &str = "fe6faa94e7774663a0da52717891d8ef";
    pub(super) const OOMD_KILLED: &str = "d989611b15e44c9dbf31e3c81256e4ed";
}

/// Signals that a program gets for a fault of its own: ILL, TRAP, ABRT, BUS, FPE, SEGV, SYS.
const FAULTS: [&str; 7] = ["4", "5", "6", "7", "8", "11", "31"];

/// What is wrong according to a host's `console` and the journals of it and its guests: each thing
/// once, the worst first.
#[must_use]
pub fn scan(console: &str, journal: &[JournalEntry]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = vec![];
    let seen = console.lines().filter_map(on_console);
    let mut ending = EndingManagers::default();
    let logged = journal.iter().filter_map(|entry| {
        ending.follow(entry);
        if ending.terminated(entry) {
            return None;
        }
        in_journal(entry)
    });
    for finding in seen.chain(logged) {
        let known = findings.iter().any(|known| {
            (known.kind, &known.machine) == (finding.kind, &finding.machine)
                && (known.subject.contains(&finding.subject)
                    || finding.subject.contains(&known.subject))
        });
        if !known {
            findings.push(finding);
        }
    }
    findings.sort_by_key(|finding| finding.kind);
    findings
}

fn on_console(line: &str) -> Option<Finding> {
    let patterns = KERNEL.iter().chain(&CONSOLE);
    let kind = pattern(patterns, line)?;
    // The kernel's time in front would make another finding of what the journal has, too.
    let text = match line
        .trim()
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "))
    {
        Some((time, text)) if time.trim().parse::<f64>().is_ok() => text,
        _ => line.trim(),
    };
    Some(found(kind, HOST, &subject(kind, text), text))
}

fn in_journal(entry: &JournalEntry) -> Option<Finding> {
    let (machine, message) = (entry.machine.as_str(), first_line(&entry.message));
    if entry.from_kernel {
        let kind = pattern(KERNEL.iter().chain(&CONSOLE), message)?;
        return Some(found(kind, machine, &subject(kind, message), message));
    }
    // A guest's console, by the mouth of the one who runs it. What the guest logs is in its own
    // journal, but for one that never comes as far as writing one.
    if entry.identifier == "systemd-nspawn" {
        let kind = pattern(CONSOLE[..2].iter(), message)?;
        return Some(found(kind, machine, message, message));
    }
    if entry.identifier == "systemd" && message.contains(BROKEN_CYCLE) {
        let kind = FindingKind::OrderingCycle;
        return Some(found(kind, machine, &subject(kind, message), message));
    }
    let (kind, subject) = match entry.id.as_str() {
        id::CORE_DUMPED => (FindingKind::CoreDump, &entry.dumped),
        id::UNIT_OUT_OF_MEMORY | id::OOMD_KILLED => (FindingKind::OomKill, &entry.unit),
        id::PROCESS_EXITED if crashed(entry) => (FindingKind::CoreDump, &entry.unit),
        id::UNIT_STARTED if is_emergency(&entry.unit) => {
            (FindingKind::EmergencyShell, &entry.message)
        }
        id::UNIT_FAILED if !is_command(&entry.unit) => (FindingKind::FailedUnit, &entry.unit),
        id::START_FAILED
            if matches!(entry.job_result.as_str(), "failed" | "timeout")
                && !is_command(&entry.unit) =>
        {
            (FindingKind::FailedUnit, &entry.unit)
        }
        _ => return None,
    };
    Some(found(kind, machine, subject, message))
}

fn found(kind: FindingKind, machine: &str, subject: &str, line: &str) -> Finding {
    Finding {
        kind,
        machine: machine.to_owned(),
        subject: subject.to_owned(),
        line: line.to_owned(),
    }
}

fn pattern<'a>(
    mut patterns: impl Iterator<Item = &'a (&'a str, FindingKind)>,
    line: &str,
) -> Option<FindingKind> {
    patterns
        .find(|(pattern, _)| line.contains(pattern))
        .map(|(_, kind)| *kind)
}

/// What a line of the kernel's or of systemd's is about.
fn subject(kind: FindingKind, line: &str) -> String {
    let between = |before: &str, after: char| {
        let (_, rest) = line.split_once(before)?;
        Some(rest.split_once(after)?.0.to_owned())
    };
    let subject = match kind {
        // Killed process 812 (tail) total-vm:...
        FindingKind::OomKill => {
            between("Killed process", ')').and_then(|text| Some(text.split_once('(')?.1.to_owned()))
        }
        // traps: tail[812] trap int3 ip:..., tail[812]: segfault at ...
        FindingKind::CoreDump if line.contains("traps: ") => between("traps: ", '['),
        FindingKind::CoreDump if line.contains("systemd[1]: Freezing") => Some("systemd".into()),
        FindingKind::CoreDump => line.split_once('[').map(|(name, _)| name.to_owned()),
        // a.target: Job b.service/start deleted to break ordering cycle ...
        FindingKind::OrderingCycle => between("Job ", '/'),
        _ => None,
    };
    subject.unwrap_or_else(|| line.to_owned())
}

fn crashed(entry: &JournalEntry) -> bool {
    entry.exit_code == "dumped"
        || (entry.exit_code == "killed" && FAULTS.contains(&entry.exit_status.as_str()))
}

fn is_emergency(unit: &str) -> bool {
    matches!(unit, "emergency.service" | "rescue.service")
}

/// Whether `unit` is called as `systemd-run` calls what it is given no name for: `run-u7.service`,
/// `run-p812-i7.service` since systemd 257, `run-r` and 32 digits for a user's.
fn is_command(unit: &str) -> bool {
    let Some(name) = unit.strip_prefix("run-").and_then(|name| {
        name.strip_suffix(".service")
            .or(name.strip_suffix(".scope"))
    }) else {
        return false;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let hex = |text: &str| text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    name.strip_prefix('u').is_some_and(digits)
        || name.strip_prefix('r').is_some_and(hex)
        || name
            .strip_prefix('p')
            .and_then(|name| name.split_once("-i"))
            .is_some_and(|(process, number)| digits(process) && digits(number))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests;
