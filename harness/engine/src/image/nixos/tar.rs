//! Archives that mapped root unpacks: tar, with GNU's way to write long names.
//!
//! All owners are root, all times are one second after the epoch, which is what a Nix store has: the same content is
//! the same archive. Links keep every byte of what they point to: the crate tar makes `a//b` `a/b`, which is another
//! tree to Nix.

use std::io::{self, Read, Write};

const BLOCK: usize = 512;
/// What fits into a header.
const NAME: usize = 100;
/// The greatest size that eleven octal digits hold.
const LARGEST: u64 = 0o77_777_777_777;

/// What a header says besides the name.
struct Header<'a> {
    kind: u8,
    mode: u32,
    size: u64,
    link: &'a [u8],
}

/// An archive that is being written. Folders are left to who unpacks it.
#[derive(Debug)]
pub(crate) struct Tar<W> {
    out: W,
}

impl<W: Write> Tar<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out }
    }

    /// Adds a file of `size` bytes.
    ///
    /// # Errors
    /// `content` can't be read, or has another size: it was changed meanwhile.
    pub(crate) fn file(
        &mut self,
        name: &[u8],
        executable: bool,
        size: u64,
        content: &mut impl Read,
    ) -> io::Result<()> {
        let mode = if executable { 0o755 } else { 0o644 };
        self.entry(
            name,
            Header {
                kind: b'0',
                mode,
                size,
                link: b"",
            },
        )?;
        let copied = io::copy(&mut content.take(size), &mut self.out)?;
        if copied != size || content.read(&mut [0])? != 0 {
            return Err(io::Error::other("its size changed while it was read"));
        }
        self.pad(size)
    }

    /// Adds a symbolic link.
    ///
    /// # Errors
    /// When the archive can't be written.
    pub(crate) fn link(&mut self, name: &[u8], target: &[u8]) -> io::Result<()> {
        self.entry(
            name,
            Header {
                kind: b'2',
                mode: 0o777,
                size: 0,
                link: target,
            },
        )
    }

    /// The end of the archive.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn entry(&mut self, name: &[u8], header: Header<'_>) -> io::Result<()> {
        let mut full = b"./".to_vec();
        full.extend_from_slice(name);
        self.long(b'K', header.link)?;
        self.long(b'L', &full)?;
        self.header(&full, header)
    }

    /// What does not fit into a header stands in an entry of its own before it.
    fn long(&mut self, kind: u8, text: &[u8]) -> io::Result<()> {
        if text.len() <= NAME {
            return Ok(());
        }
        let size = text.len() as u64 + 1;
        let header = Header {
            kind,
            mode: 0o644,
            size,
            link: b"",
        };
        self.header(b"././@LongLink", header)?;
        self.out.write_all(text)?;
        self.out.write_all(&[0])?;
        self.pad(size)
    }

    fn header(&mut self, name: &[u8], header: Header<'_>) -> io::Result<()> {
        let Header {
            kind,
            mode,
            size,
            link,
        } = header;
        if size > LARGEST {
            return Err(io::Error::other("it has more than 8 GiB"));
        }
        let mut block = [0; BLOCK];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &name[..name.len().min(NAME)]);
        put(100, format!("{mode:07o}").as_bytes());
        put(108, b"0000000");
        put(116, b"0000000");
        put(124, format!("{size:011o}").as_bytes());
        put(136, b"00000000001");
        put(148, b"        ");
        put(156, &[kind]);
        put(157, &link[..link.len().min(NAME)]);
        put(257, b"ustar  \0");
        put(265, b"root");
        put(297, b"root");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.out.write_all(&block)
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
        if over == 0 {
            return Ok(());
        }
        self.out.write_all(&[0; BLOCK][over..])
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn tar_unpacks_what_was_put_in() {
        let dir = tempfile::tempdir().expect("a folder");
        let long = format!("{}/{}", "folder".repeat(12), "name".repeat(30));
        let mut tar = Tar::new(vec![]);
        let mut add = |name: &str, executable, content: &str| {
            tar.file(
                name.as_bytes(),
                executable,
                content.len() as u64,
                &mut content.as_bytes(),
            )
        };
        add("a/plain", false, "text\n").expect("written");
        add("run", true, &"x".repeat(BLOCK)).expect("written");
        add(&long, false, "").expect("written");
        tar.link(b"a/link", b"plain").expect("written");
        tar.link(b"far", long.as_bytes()).expect("written");
        tar.link(b"away", b"/nix/store/../a//b").expect("written");
        let archive = dir.path().join("a.tar");
        std::fs::write(&archive, tar.finish().expect("finished")).expect("written");
        let tree = dir.path().join("tree");
        std::fs::create_dir(&tree).expect("made");
        let unpacked = Command::new("tar")
            .args(["-x", "-C"])
            .arg(&tree)
            .arg("-f")
            .arg(&archive)
            .output()
            .expect("tar starts");
        assert!(unpacked.status.success(), "{unpacked:?}");
        let listed = Command::new("sh")
            .args([
                "-c",
                "find . -type f -printf '%p %m %s %T@\\n' -o -type l -printf '%p -> %l\\n' | sort",
            ])
            .current_dir(&tree)
            .output()
            .expect("sh starts");
        let mut wanted = vec![
            "./a/link -> plain".to_owned(),
            "./a/plain 644 5 1.0000000000".to_owned(),
            format!("./far -> {long}"),
            format!("./{long} 644 0 1.0000000000"),
            format!("./run 755 {BLOCK} 1.0000000000"),
            "./away -> /nix/store/../a//b".to_owned(),
        ];
        wanted.sort();
        let mut seen: Vec<_> = std::str::from_utf8(&listed.stdout)
            .expect("UTF-8")
            .lines()
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, wanted);
    }

    #[rstest::rstest]
    #[case(3)]
    #[case(5)]
    fn a_file_that_changes_meanwhile_is_an_error(#[case] size: u64) {
        let mut tar = Tar::new(vec![]);
        let error = tar
            .file(b"a", false, size, &mut &b"four"[..])
            .expect_err("refused");
        assert_eq!(error.to_string(), "its size changed while it was read");
    }
}
