//! What tests with VMs share.

use std::process::{Command, Stdio};

/// The folder of the user's default image, which is built first if need be.
pub(crate) fn default_image() -> String {
    let built = Command::new(env!("CARGO_BIN_EXE_spawnlab"))
        .args(["image", "build"])
        .stderr(Stdio::inherit())
        .output()
        .expect("it can be started");
    assert!(built.status.success(), "the image could not be built");
    let image = String::from_utf8(built.stdout).expect("UTF-8");
    image.trim().to_owned()
}
