//! The virtio port: found by its name, and read although nobody may be at its other end.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read},
    os::fd::AsFd,
    path::Path,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, poll};

/// How long qemu-ga may take to let go of the port.
const FREE: Duration = Duration::from_secs(20);

/// Opens the port `name` for reading and writing.
///
/// # Errors
/// When there is none of that name, or another process keeps it for 20 s.
pub(crate) fn find(name: &str) -> io::Result<File> {
    let device = device_of(Path::new("/sys/class/virtio-ports"), name)?;
    let path = Path::new("/dev").join(device);
    let begin = Instant::now();
    loop {
        match OpenOptions::new().read(true).write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy && begin.elapsed() < FREE => {
                std::thread::sleep(Duration::from_millis(20));
            }
            other => return other,
        }
    }
}

fn device_of(class: &Path, name: &str) -> io::Result<std::ffi::OsString> {
    for entry in std::fs::read_dir(class)? {
        let entry = entry?;
        let its = std::fs::read_to_string(entry.path().join("name")).unwrap_or_default();
        if its.trim_end() == name {
            return Ok(entry.file_name());
        }
    }
    let why = format!("no port of this name in {}", class.display());
    Err(io::Error::new(io::ErrorKind::NotFound, why))
}

/// Reads a port. While nobody is connected to its other end a port reads as ended: that is waited
/// for, since the lab may come back.
pub(crate) struct Waiting(pub(crate) BufReader<File>);

impl Waiting {
    fn wait(&self) -> io::Result<()> {
        // The port hangs up as long as nobody is there, so poll would return at once.
        let file = self.0.get_ref().as_fd();
        let mut fds = [PollFd::new(&file, PollFlags::IN)];
        poll(&mut fds, None)?;
        if fds[0].revents().contains(PollFlags::HUP) && !fds[0].revents().contains(PollFlags::IN) {
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Read for Waiting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer)? {
                0 => self.wait()?,
                count => return Ok(count),
            }
        }
    }
}

impl BufRead for Waiting {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.0.fill_buf()?.is_empty() {
            self.wait()?;
        }
        Ok(self.0.buffer())
    }

    fn consume(&mut self, count: usize) {
        self.0.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_found_by_its_name() {
        let class = tempfile::tempdir().unwrap();
        for (device, name) in [("vport1p1", "org.one\n"), ("vport1p2", "org.two\n")] {
            std::fs::create_dir(class.path().join(device)).unwrap();
            std::fs::write(class.path().join(device).join("name"), name).unwrap();
        }
        assert_eq!(device_of(class.path(), "org.two").unwrap(), "vport1p2");
        let error = device_of(class.path(), "org.three").unwrap_err();
        assert!(
            error.to_string().contains("no port of this name"),
            "{error}"
        );
    }
}
