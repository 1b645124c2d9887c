//! Who holds slots, in words.

use std::collections::BTreeMap;

use crate::util::text::printable;

/// How much of a command line is shown, in characters.
const SHOWN: usize = 60;

/// The processes of `holders` (one for each slot that is held, as far as it says who has it) but this one, in words: none if
/// there are no others.
pub(super) fn others(holders: &[Option<u32>]) -> Option<String> {
    let mut slots: BTreeMap<u32, usize> = BTreeMap::new();
    let mut unknown = 0;
    for holder in holders {
        match holder {
            Some(pid) if *pid == std::process::id() => {}
            Some(pid) => *slots.entry(*pid).or_default() += 1,
            None => unknown += 1,
        }
    }
    let mut all: Vec<String> = slots
        .iter()
        .map(|(pid, slots)| match command(*pid) {
            Some(command) => format!("process {pid} ({command}) has {slots}"),
            None => format!("process {pid} has {slots}"),
        })
        .collect();
    if unknown > 0 {
        all.push(format!("a process that does not say which has {unknown}"));
    }
    (!all.is_empty()).then(|| all.join(", "))
}

/// The command line of the process `pid`, with its program's name only, where it can be read.
fn command(pid: u32) -> Option<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    shown(&String::from_utf8_lossy(&bytes))
}

/// `cmdline`, as the kernel has it, for people.
fn shown(cmdline: &str) -> Option<String> {
    let mut words = cmdline.split('\0').filter(|word| !word.is_empty());
    let program = words.next()?;
    let program = program.rsplit('/').next().unwrap_or(program);
    let words: Vec<&str> = [program].into_iter().chain(words).collect();
    let all = printable(&words.join(" ")).replace(['\n', '\t'], " ");
    Some(match all.chars().count() > SHOWN {
        true => all.chars().take(SHOWN).chain(['…']).collect(),
        false => all,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::own(&[Some(std::process::id())], None)]
    #[case::free(&[], None)]
    #[case::does_not_say(&[None, None], Some("a process that does not say which has 2"))]
    // More than the kernel gives out.
    #[case::gone(&[Some(u32::MAX)], Some("process 4294967295 has 1"))]
    fn who_holds_them(#[case] holders: &[Option<u32>], #[case] words: Option<&str>) {
        assert_eq!(others(holders).as_deref(), words);
    }

    #[rstest::rstest]
    #[case("/usr/bin/spawnlab\0run\0names::\0", Some("spawnlab run names::"))]
    #[case("spawnlab\0\u{1b}[2Ja\nb\0", Some("spawnlab a b"))]
    #[case("", None)]
    fn a_command_line_is_for_people(#[case] cmdline: &str, #[case] words: Option<&str>) {
        assert_eq!(shown(cmdline).as_deref(), words);
    }

    #[test]
    fn a_long_command_line_is_cut() {
        let cut = shown(&format!("spawnlab\0{}", "x".repeat(200))).expect("a command");
        assert_eq!(cut.chars().count(), SHOWN + 1, "{cut}");
    }
}
