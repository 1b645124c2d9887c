//! What the probes mean: a line for each thing, with what mends it.

use std::fmt::{self, Write as _};

use serde::Serialize;
use spawnlab::vm::slots::CLONE;

use super::probes::{Kvm, Probes};
use crate::output::human;

/// What the build of an image and three layers takes, by measure, with room to spare.
const FIRST_RUN: u64 = 6 << 30;
/// What one more layer may take.
const LAYER: u64 = 1536 << 20;

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rating {
    /// As it should be.
    Ok,
    /// The lab runs, but worse than it could.
    Warn,
    /// The lab can't run without it.
    Missing,
}

impl fmt::Display for Rating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Missing => "missing",
        })
    }
}

/// One thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// How it is.
    pub word: Rating,
    /// What it is.
    pub what: &'static str,
    /// What was seen.
    pub seen: String,
    /// What mends it; nothing where nothing is to be mended.
    pub fix: Option<String>,
}

fn line(word: Rating, what: &'static str, seen: impl Into<String>, fix: Option<&str>) -> Line {
    Line {
        word,
        what,
        seen: seen.into(),
        fix: fix.map(str::to_owned),
    }
}

/// Judges `probes`.
#[must_use]
pub fn lines(probes: &Probes) -> Vec<Line> {
    let mut lines = vec![
        architecture(probes),
        qemu(probes),
        disks(probes),
        kvm(probes),
        memory(probes),
        disk(probes),
        namespaces(probes),
        image_builder(probes),
        ssh(probes),
        nix(probes),
    ];
    lines.extend(cache(probes));
    lines.push(leftovers(probes));
    lines
}

/// Whether the lab can run.
#[must_use]
pub fn can_run(lines: &[Line]) -> bool {
    lines.iter().all(|line| line.word != Rating::Missing)
}

/// What a person reads.
#[must_use]
pub fn table(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        let _ = writeln!(text, "{:<8} {:<13} {}", line.word, line.what, line.seen);
        if let Some(fix) = &line.fix {
            let _ = writeln!(text, "{:<22} fix: {fix}", "");
        }
    }
    let missing = lines.iter().filter(|line| line.word == Rating::Missing);
    let missing: Vec<&str> = missing.map(|line| line.what).collect();
    let _ = match missing.as_slice() {
        [] => writeln!(text, "\nthis machine can run the lab"),
        missing => writeln!(
            text,
            "\nthis machine can't run the lab yet: {}",
            missing.join(", ")
        ),
    };
    text
}

fn has(probes: &Probes, program: &str) -> bool {
    probes.programs.contains_key(program)
}

fn architecture(probes: &Probes) -> Line {
    match probes.architecture.as_str() {
        "x86_64" => line(Rating::Ok, "architecture", "x86_64", None),
        other => line(
            Rating::Missing,
            "architecture",
            format!("{other}; hosts are x86_64"),
            Some("run the lab on an x86_64 machine"),
        ),
    }
}

fn qemu(probes: &Probes) -> Line {
    match &probes.qemu {
        Ok(version) => line(Rating::Ok, "QEMU", version, None),
        Err(why) => line(
            Rating::Missing,
            "QEMU",
            why,
            Some("`ci/lab doctor` installs it; on Debian it is qemu-system-x86"),
        ),
    }
}

fn disks(probes: &Probes) -> Line {
    let needed = [("qemu-img", "qemu-utils"), ("setpriv", "util-linux")];
    let missing: Vec<_> = needed
        .iter()
        .filter(|(program, _)| !has(probes, program))
        .collect();
    if missing.is_empty() {
        return line(Rating::Ok, "its tools", "qemu-img, setpriv", None);
    }
    let programs: Vec<&str> = missing.iter().map(|(program, _)| *program).collect();
    let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    let fix = format!("apt-get install {}", packages.join(" "));
    line(
        Rating::Missing,
        "its tools",
        format!("not here: {}", programs.join(", ")),
        Some(&fix),
    )
}

fn kvm(probes: &Probes) -> Line {
    match &probes.kvm {
        Kvm::Proved => line(Rating::Ok, "KVM", "proved: a kernel spoke under it", None),
        Kvm::Unusable(why) => line(
            Rating::Warn,
            "KVM",
            format!("{why}; everything is emulated, some four times slower"),
            Some(if why.contains("Permission denied") {
                "add the user to the group `kvm` and log in again"
            } else {
                "a machine with working virtualisation; verdicts are the same without"
            }),
        ),
        Kvm::Untried(why) => line(
            Rating::Warn,
            "KVM",
            format!("not proved: {why}"),
            Some("`spawnlab image build`, and look again"),
        ),
    }
}

fn memory(probes: &Probes) -> Line {
    let clones = probes.memory / CLONE;
    let at_once = usize::try_from(clones)
        .unwrap_or(usize::MAX)
        .min(probes.processors);
    let seen = format!(
        "{} available{}, {} processors: {} at once",
        human::bytes(probes.memory),
        if probes.memory_limited {
            " (as much as the control group allows)"
        } else {
            ""
        },
        probes.processors,
        if at_once == 1 {
            "1 VM".into()
        } else {
            format!("{at_once} VMs")
        },
    );
    let fix = if probes.memory_limited {
        format!(
            "raise the control group's limit (MemoryMax=); a VM takes {}",
            human::bytes(CLONE)
        )
    } else {
        format!("end something; a VM takes {}", human::bytes(CLONE))
    };
    match clones {
        0 => line(Rating::Missing, "memory", seen, Some(&fix)),
        1 => line(Rating::Warn, "memory", seen, Some(&fix)),
        _ => line(Rating::Ok, "memory", seen, None),
    }
}

fn disk(probes: &Probes) -> Line {
    let folder = probes
        .cache
        .folder
        .as_ref()
        .map_or("?", |folder| folder.as_str());
    let fix = Some("`spawnlab layers clean`, or set SPAWNLAB_CACHE to a folder on a larger disk");
    let Some(free) = probes.disk else {
        return line(
            Rating::Warn,
            "disk",
            format!("{folder} can't be looked at"),
            fix,
        );
    };
    let first = probes.cache.images.is_empty() || probes.cache.layers == 0;
    let needed = if first { FIRST_RUN } else { LAYER };
    let seen = format!("{} free in {folder}", human::bytes(free));
    if free >= needed {
        return line(Rating::Ok, "disk", seen, None);
    }
    let what = if first {
        "the first run"
    } else {
        "another layer"
    };
    line(
        if free < LAYER {
            Rating::Missing
        } else {
            Rating::Warn
        },
        "disk",
        format!("{seen}; {what} may take {}", human::bytes(needed)),
        fix,
    )
}

/// Only who builds images needs them, and not as root.
fn namespaces(probes: &Probes) -> Line {
    let what = "namespaces";
    if probes.root {
        return line(Rating::Ok, what, "not needed by root", None);
    }
    let needed = if probes.cache.images.is_empty() {
        Rating::Missing
    } else {
        Rating::Warn
    };
    match &probes.namespaces {
        Err(why) => line(
            needed,
            what,
            format!("a user can't be root in one: {}", first_line(why)),
            Some(
                "sysctl kernel.unprivileged_userns_clone=1; on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0; or build the image as root",
            ),
        ),
        Ok(()) if !probes.numbers => line(
            needed,
            what,
            "the user has no range in /etc/subuid and /etc/subgid",
            Some("usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER"),
        ),
        Ok(()) => line(Rating::Ok, what, "a user can be root in one", None),
    }
}

fn image_builder(probes: &Probes) -> Line {
    let what = "image builder";
    let needed = [
        ("mmdebstrap", "mmdebstrap", true),
        ("gpg", "gpg", true),
        ("mke2fs", "e2fsprogs", true),
        ("newuidmap", "uidmap", !probes.root),
    ];
    let mut missing: Vec<(&str, &str)> = needed
        .into_iter()
        .filter(|(program, _, wanted)| *wanted && !has(probes, program))
        .map(|(program, package, _)| (program, package))
        .collect();
    if !probes.keyring {
        missing.push(("Debian's archive keys", "debian-archive-keyring"));
    }
    if missing.is_empty() {
        let version = probes.programs.get("mmdebstrap").map_or("", String::as_str);
        return line(Rating::Ok, what, version, None);
    }
    let (things, packages): (Vec<&str>, Vec<&str>) = missing.into_iter().unzip();
    let seen = format!("not here: {}", things.join(", "));
    let fix = format!("apt-get install {}", packages.join(" "));
    // An image that is there is all that a run needs; mke2fs makes the lab's disk, too.
    let word = if probes.cache.images.is_empty() || !has(probes, "mke2fs") {
        Rating::Missing
    } else {
        Rating::Warn
    };
    line(word, what, seen, Some(&fix))
}

fn ssh(probes: &Probes) -> Line {
    match probes.programs.get("ssh") {
        Some(version) => line(Rating::Ok, "ssh", version, None),
        None => line(
            Rating::Warn,
            "ssh",
            "not here; only deploying from this machine needs it",
            Some("apt-get install openssh-client"),
        ),
    }
}

fn nix(probes: &Probes) -> Line {
    match probes.programs.get("nix") {
        Some(version) => line(Rating::Ok, "Nix", version, None),
        None => line(
            Rating::Ok,
            "Nix",
            "not here, and only needed for images from flakes",
            None,
        ),
    }
}

fn cache(probes: &Probes) -> Vec<Line> {
    let cache = &probes.cache;
    let folder = cache.folder.as_ref().map_or("?", |folder| folder.as_str());
    if let Some(problem) = &cache.problem {
        return vec![line(
            Rating::Missing,
            "cache",
            problem,
            Some(
                "make it yours alone (chown, chmod 700), or set SPAWNLAB_CACHE to an absolute path",
            ),
        )];
    }
    if !cache.exists {
        return vec![line(
            Rating::Ok,
            "cache",
            format!("{folder} is made by the first run"),
            None,
        )];
    }
    let images = match cache.images.as_slice() {
        [] => "no images".to_owned(),
        names => format!("images: {}", names.join(", ")),
    };
    let seen = format!(
        "{folder}: {images}; {} layers, {}, {} in use",
        cache.layers,
        human::bytes(cache.layer_bytes),
        cache.in_use
    );
    let mut lines = vec![line(Rating::Ok, "cache", seen, None)];
    if !cache.damaged.is_empty() {
        lines.push(line(
            Rating::Warn,
            "images",
            format!("can't be read: {}", cache.damaged.join(", ")),
            Some("`spawnlab image build --refresh`, or remove the folder"),
        ));
    }
    lines
}

fn leftovers(probes: &Probes) -> Line {
    let all: Vec<&str> = probes.leftovers.all().map(|dir| dir.as_str()).collect();
    match all.as_slice() {
        [] => line(Rating::Ok, "leftovers", "none of dead runs", None),
        [one] => line(
            Rating::Warn,
            "leftovers",
            *one,
            Some("`spawnlab doctor --fix` removes it"),
        ),
        [one, rest @ ..] => line(
            Rating::Warn,
            "leftovers",
            format!("{one} and {} more", rest.len()),
            Some("`spawnlab doctor --fix` removes them"),
        ),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
