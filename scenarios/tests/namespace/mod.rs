//! Scripts in network namespaces of their own, for tests that ask this machine's kernel about packet filters.

use std::{
    io::Write,
    process::{Command, Stdio},
};

/// What `script` prints when `shell` runs it in a new network namespace with `input` as its standard input, or what it
/// says on its standard error when it fails. As an ordinary user, in a new user namespace, too.
pub(crate) fn in_a_namespace(shell: &str, script: &str, input: &str) -> Result<String, String> {
    let root = rustix::process::geteuid().is_root();
    let rights: &[&str] = if root {
        &["--net"]
    } else {
        &["--net", "--user", "--map-root-user"]
    };
    let mut child = Command::new("unshare")
        .args(rights)
        .args([shell, "-c", script])
        .env(
            "PATH",
            "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin",
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("unshare starts");
    let mut stdin = child.stdin.take().expect("piped");
    let written = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(written.is_ok(), "{script} read nothing: {said}");
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(said)
    }
}
