//! The initrd: busybox, a script, and the few modules that this kernel has not built in. Debian's own is ten times
//! the size, and an emulated processor takes seconds to unpack it.

use camino::Utf8Path;

use super::cpio::Cpio;
use crate::image::{
    embedded::script,
    error::{Doing as _, ImageError},
};

/// The script that becomes `/init`.
pub(crate) const INIT: &str = script::INIT;

/// Makes the initrd of what the assembly left in `export`. Not compressed: QEMU reads it faster than the VM unpacks.
pub(crate) fn build(export: &Utf8Path) -> Result<Vec<u8>, ImageError> {
    let read = |name: &str| {
        let path = export.join(name);
        std::fs::read(&path).doing("read", path)
    };
    let mut cpio = Cpio::default();
    for folder in ["bin", "dev", "proc", "sys", "root", "modules"] {
        cpio.folder(folder);
    }
    cpio.device("dev/console", 0o600, 5, 1);
    cpio.file("bin/busybox", 0o755, &read("busybox")?);
    cpio.file("init", 0o755, INIT.as_bytes());
    let order = read("modules/order")?;
    for module in String::from_utf8_lossy(&order).lines() {
        let file = format!("modules/{module}.ko");
        cpio.file(&file, 0o644, &read(&file)?);
    }
    cpio.file("modules/order", 0o644, &order);
    Ok(cpio.finish())
}
