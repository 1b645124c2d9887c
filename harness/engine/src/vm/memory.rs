//! Memory that VMs can have: what the machine has left, and what its control groups allow this process.
//!
//! Uses nothing else of the lab.

use camino::{Utf8Path, Utf8PathBuf};

/// Memory that can be had without swapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Available {
    /// Bytes; [`u64::MAX`] where the kernel does not say.
    pub bytes: u64,
    /// Whether a control group allows less than the machine has left.
    pub limited_by_group: bool,
}

/// What this process can have now: the smallest of what the kernel estimates for the machine and what each control
/// group from its own to the root has left.
///
/// Both versions of control groups are read. A group that can't be read is taken for one without a limit.
#[must_use]
pub fn available() -> Available {
    available_below(Utf8Path::new("/"))
}

/// The same with `/proc` and `/sys` below `root`.
fn available_below(root: &Utf8Path) -> Available {
    let text = std::fs::read_to_string(root.join("proc/meminfo")).unwrap_or_default();
    let machine = kib(&text, "MemAvailable:").unwrap_or(u64::MAX);
    let groups = std::fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let group = groups
        .lines()
        .filter_map(|line| Hierarchy::of(line, root))
        .filter_map(|hierarchy| hierarchy.left())
        .min()
        .unwrap_or(u64::MAX);
    Available {
        bytes: machine.min(group),
        limited_by_group: group < machine,
    }
}

/// A control group, and the files that say what it may have.
struct Hierarchy {
    mount: Utf8PathBuf,
    group: Utf8PathBuf,
    limit: &'static str,
    usage: &'static str,
    /// The line of `memory.stat` with file pages that were not used lately: they are dropped before anything is killed.
    dropped_first: &'static str,
}

impl Hierarchy {
    /// The one of a line of `/proc/self/cgroup` (`ID:CONTROLLERS:PATH`), if it can limit memory.
    fn of(line: &str, root: &Utf8Path) -> Option<Self> {
        let mut fields = line.splitn(3, ':');
        let (id, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let group = path.trim_start_matches('/').into();
        let sys = root.join("sys/fs/cgroup");
        if id == "0" && controllers.is_empty() {
            return Some(Self {
                mount: sys,
                group,
                limit: "memory.max",
                usage: "memory.current",
                dropped_first: "inactive_file ",
            });
        }
        let memory = controllers.split(',').any(|name| name == "memory");
        memory.then(|| Self {
            mount: sys.join("memory"),
            group,
            limit: "memory.limit_in_bytes",
            usage: "memory.usage_in_bytes",
            dropped_first: "total_inactive_file ",
        })
    }

    /// The bytes that the tightest group from this one to the root has left.
    fn left(&self) -> Option<u64> {
        // In a container the path may name what only the host sees; the mount then shows the container's own group.
        let groups = self.group.ancestors().map(|group| self.mount.join(group));
        groups.filter_map(|dir| self.left_of(&dir)).min()
    }

    fn left_of(&self, dir: &Utf8Path) -> Option<u64> {
        let number = |file: &str| -> Option<u64> {
            let text = std::fs::read_to_string(dir.join(file)).ok()?;
            text.trim().parse().ok()
        };
        // "max" is no number, and so no limit.
        let limit = number(self.limit)?;
        let stat = std::fs::read_to_string(dir.join("memory.stat")).unwrap_or_default();
        let dropped: u64 = stat
            .lines()
            .find_map(|line| line.strip_prefix(self.dropped_first)?.trim().parse().ok())
            .unwrap_or(0);
        let used = number(self.usage)?.saturating_sub(dropped);
        Some(limit.saturating_sub(used))
    }
}

/// The field `name` of a file in `/proc`, which is in KiB, in bytes.
pub(crate) fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// A machine with 8,000 MiB left, whose `/proc/self/cgroup` is `groups`, with `files` below `/sys/fs/cgroup`.
    fn machine(groups: &str, files: &[(&str, &str)]) -> Available {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        let write = |path: Utf8PathBuf, text: &str| {
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        };
        write(
            root.join("proc/meminfo"),
            "MemTotal: 9000000 kB\nMemAvailable: 8192000 kB\n",
        );
        write(root.join("proc/self/cgroup"), groups);
        for (path, text) in files {
            write(root.join("sys/fs/cgroup").join(path), text);
        }
        available_below(root)
    }

    fn limited(bytes: u64) -> Available {
        Available {
            bytes,
            limited_by_group: true,
        }
    }

    /// <https://github.com/coreos/coreos-assembler/issues/3118>
    #[rstest::rstest]
    #[case::a_scope_of_systemd_run("0::/user.slice/run-1.scope\n", &[
        ("user.slice/run-1.scope/memory.max", "943718400\n"),
        ("user.slice/run-1.scope/memory.current", "314572800\n"),
        ("user.slice/run-1.scope/memory.stat", "anon 1\ninactive_file 104857600\nactive_file 7\n"),
        ("user.slice/memory.max", "max\n"),
        ("user.slice/memory.current", "1\n"),
    ], limited(700 * MIB))]
    #[case::a_slice_above_it("0::/a.slice/b.scope\n", &[
        ("a.slice/b.scope/memory.max", "max\n"),
        ("a.slice/b.scope/memory.current", "1\n"),
        ("a.slice/memory.max", "1048576\n"),
        ("a.slice/memory.current", "0\n"),
    ], limited(MIB))]
    #[case::more_used_than_allowed("0::/a\n", &[
        ("a/memory.max", "1048576\n"),
        ("a/memory.current", "2097152\n"),
    ], limited(0))]
    #[case::a_container_that_sees_its_own_group("0::/system.slice/docker-1.scope\n", &[
        ("memory.max", "2097152\n"),
        ("memory.current", "1048576\n"),
    ], limited(MIB))]
    #[case::version_1("4:cpu,memory:/jobs/1\n0::/\n", &[
        ("memory/jobs/1/memory.limit_in_bytes", "3145728\n"),
        ("memory/jobs/1/memory.usage_in_bytes", "2097152\n"),
        ("memory/jobs/1/memory.stat", "inactive_file 9\ntotal_inactive_file 1048576\n"),
    ], limited(2 * MIB))]
    #[case::no_limit("0::/a\n", &[
        ("a/memory.max", "max\n"),
        ("a/memory.current", "1\n"),
    ], Available { bytes: 8_000 * MIB, limited_by_group: false })]
    #[case::nothing_to_read("nonsense\n5:\n", &[], Available { bytes: 8_000 * MIB, limited_by_group: false })]
    fn coreos_assembler_3118_control_groups_count(
        #[case] groups: &str,
        #[case] files: &[(&str, &str)],
        #[case] expected: Available,
    ) {
        assert_eq!(machine(groups, files), expected);
    }

    #[test]
    fn a_kernel_that_says_nothing_limits_nothing() {
        assert_eq!(kib("MemTotal: 1 kB\n", "MemAvailable:"), None);
        assert_eq!(
            kib("MemAvailable:   12000 kB\n", "MemAvailable:"),
            Some(12_000 << 10)
        );
        assert!(available().bytes > 0);
    }
}
