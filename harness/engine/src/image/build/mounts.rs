//! What a build that was killed as root has left mounted: the machine's own `/proc`, `/sys` and `/dev`, seen
//! through the folder of the build, which must not be emptied with it.

use camino::{Utf8Path, Utf8PathBuf};
use rustix::mount::{UnmountFlags, unmount};

/// Unmounts everything below `folder`. What can't be unmounted is a reason for the removal to fail, and told then.
pub(crate) fn end_below(folder: &Utf8Path) {
    let Ok(folder) = folder.canonicalize_utf8() else {
        return;
    };
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    for point in below(&folder, &mounts) {
        if let Err(error) = unmount(point.as_std_path(), UnmountFlags::DETACH) {
            tracing::warn!(%error, %point, "a leftover of an image build stays mounted");
        }
    }
}

/// The mount points below `folder`, the last one mounted first.
fn below(folder: &Utf8Path, mountinfo: &str) -> Vec<Utf8PathBuf> {
    let points = mountinfo.lines().filter_map(|line| {
        let point = unescaped(line.split(' ').nth(4)?);
        (point.starts_with(folder) && point != folder).then_some(point)
    });
    let mut points: Vec<_> = points.collect();
    points.reverse();
    points
}

/// A path as the kernel writes it, with blanks and backslashes as `\\040`.
fn unescaped(text: &str) -> Utf8PathBuf {
    let mut parts = text.split('\\');
    let mut path = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_at_checked(3).unwrap_or((part, ""));
        match u8::from_str_radix(code, 8) {
            Ok(code) => path.push(code.into()),
            Err(_) => path.push_str(code),
        }
        path.push_str(rest);
    }
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mounted_below_a_folder_comes_last_first() {
        let mountinfo = "\
21 1 254:0 / / rw - ext4 /dev/vda rw
30 21 0:20 / /tmp/a rw - tmpfs tmpfs rw
31 30 0:5 / /tmp/a/dev rw - devtmpfs dev rw
32 31 0:21 / /tmp/a/dev/pts\\040x rw - devpts none rw
33 21 0:22 / /tmp/ab rw - tmpfs tmpfs rw
";
        let found = below("/tmp/a".into(), mountinfo);
        assert_eq!(found, ["/tmp/a/dev/pts x", "/tmp/a/dev"]);
        assert_eq!(below("/nowhere".into(), mountinfo).len(), 0);
    }
}
