//! Copying a memory file: 2 GiB in name, a fifth of that in use.

use std::{fs::File, io, os::unix::fs::FileExt};

use camino::Utf8Path;
use rustix::{
    fs::{SeekFrom, copy_file_range, ftruncate, ioctl_ficlone, seek},
    io::Errno,
};

/// Copies `from` to the new file `to`: as a clone where the file system can, else its data
/// without its holes. The copy is as long as the original.
///
/// # Errors
/// When reading or writing fails; an incomplete copy is left to the caller's clean-up.
pub fn copy(from: &Utf8Path, to: &Utf8Path) -> io::Result<File> {
    let source = fs_err::File::open(from)?;
    let target = fs_err::OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(to)?;
    if ioctl_ficlone(&target, &source).is_ok() {
        return Ok(target.into_parts().0);
    }
    let length = source.metadata()?.len();
    ftruncate(&target, length)?;
    let mut at = 0;
    while at < length {
        // ENXIO: nothing but a hole is left.
        let Ok(data) = seek(&source, SeekFrom::Data(at)) else {
            break;
        };
        let hole = seek(&source, SeekFrom::Hole(data))?;
        copy_span(source.file(), target.file(), data, hole)?;
        at = hole;
    }
    Ok(target.into_parts().0)
}

fn copy_span(source: &File, target: &File, from: u64, to: u64) -> io::Result<()> {
    let (mut read_at, mut write_at) = (from, from);
    while read_at < to {
        let rest = usize::try_from(to - read_at).unwrap_or(usize::MAX);
        let copied = copy_file_range(
            source,
            Some(&mut read_at),
            target,
            Some(&mut write_at),
            rest,
        );
        let copied = match copied {
            // Between file systems of two kinds the kernel does not copy: the temporary folder may be in memory.
            Err(Errno::XDEV | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL) => {
                return copy_by_hand(source, target, read_at, to);
            }
            copied => copied?,
        };
        if copied == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

fn copy_by_hand(source: &File, target: &File, from: u64, to: u64) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    let mut at = from;
    while at < to {
        let rest = usize::try_from(to - at).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(rest);
        let chunk = &mut buffer[..wanted];
        source.read_exact_at(chunk, at)?;
        target.write_all_at(chunk, at)?;
        at += wanted as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use camino::Utf8PathBuf;

    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn what_the_kernel_does_not_copy_is_copied_all_the_same() {
        let (from, to) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        from.write_all_at(&[7; 3 << 20], 10).unwrap();
        copy_by_hand(&from, &to, 10, 10 + (3 << 20)).unwrap();
        let mut seen = vec![0; 3 << 20];
        to.read_exact_at(&mut seen, 10).unwrap();
        assert!(seen.iter().all(|byte| *byte == 7));
    }

    #[test]
    fn data_is_the_same_and_holes_stay_holes() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        let (from, to) = (dir.join("from"), dir.join("to"));
        let file = File::create(&from).unwrap();
        file.set_len(64 * MIB).unwrap();
        file.write_all_at(b"low", 4096).unwrap();
        file.write_all_at(b"high", 63 * MIB).unwrap();
        copy(&from, &to).unwrap();
        assert!(fs_err::read(&from).unwrap() == fs_err::read(&to).unwrap());
        let used = fs_err::metadata(&to).unwrap().blocks() * 512;
        assert!(used < MIB, "{used} bytes in use");
    }

    #[test]
    fn a_file_of_nothing_but_holes_keeps_its_length() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        File::create(dir.join("from"))
            .unwrap()
            .set_len(MIB)
            .unwrap();
        copy(&dir.join("from"), &dir.join("to")).unwrap();
        assert_eq!(fs_err::metadata(dir.join("to")).unwrap().len(), MIB);
    }

    #[test]
    fn an_existing_file_is_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        fs_err::write(dir.join("from"), "a").unwrap();
        fs_err::write(dir.join("to"), "b").unwrap();
        copy(&dir.join("from"), &dir.join("to")).unwrap_err();
        assert_eq!(fs_err::read(dir.join("to")).unwrap(), b"b");
    }
}
