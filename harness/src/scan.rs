//! Lines of a console that no healthy host prints, whatever the scenario says.

/// A pattern and what it means. Plain text: the kernel's words for these have not changed in years.
const BAD: [(&str, &str); 9] = [
    ("Kernel panic", "the kernel panicked"),
    ("Oops:", "the kernel oopsed"),
    ("BUG: ", "the kernel found a bug of its own"),
    ("general protection fault", "the kernel faulted"),
    ("Out of memory: Killed", "the host ran out of memory"),
    ("soft lockup", "a processor hung"),
    ("EXT4-fs error", "the root file system is damaged"),
    ("You are in emergency mode", "the host is in emergency mode"),
    ("systemd[1]: Freezing execution", "systemd crashed"),
];

/// The bad lines of `console`, each with its meaning in front.
#[must_use]
pub fn bad_lines(console: &str) -> Vec<String> {
    console
        .lines()
        .filter_map(|line| {
            let (_, meaning) = BAD.iter().find(|(pattern, _)| line.contains(pattern))?;
            Some(format!("{meaning}: {}", line.trim()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_found_and_a_quiet_console_is_not() {
        let console = "[    1.0] Linux version 6.12\n[   20.1] Kernel panic - not syncing: Attempted to kill init!\n";
        assert_eq!(bad_lines(console).len(), 1);
        assert!(bad_lines(console)[0].starts_with("the kernel panicked: "));
        assert!(bad_lines("[ 1.0] Linux version\n[ 2.0] virtio_blk\n").is_empty());
    }
}
