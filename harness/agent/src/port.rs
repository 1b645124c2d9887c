//! The virtio port, found by its name.

use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
    time::{Duration, Instant},
};

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
