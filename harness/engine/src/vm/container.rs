//! An nspawn guest on a host: asked from outside with systemd's own `-M` tools.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::{
    util::error::{CommandError, Result},
    vm::{
        host::Host,
        qemu::agent::{Output, PATH, Status, first_line},
        verbs::Verbs,
    },
};

/// How often it is looked whether the guest that a command runs in is still there.
const LOOK: Duration = Duration::from_secs(3);

/// A container by name. It need not exist: then the verbs fail.
#[derive(Debug, Clone)]
pub struct Container<'a> {
    host: &'a Host,
    name: String,
}

impl<'a> Container<'a> {
    pub(crate) fn new(host: &'a Host, name: &str) -> Self {
        Self {
            host,
            name: name.to_owned(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its unit on the host.
    #[must_use]
    pub fn unit(&self) -> String {
        format!("systemd-nspawn@{}.service", self.name)
    }

    /// Its host.
    #[must_use]
    pub fn host(&self) -> &'a Host {
        self.host
    }

    /// Ends the `systemd-run` that carries `nonce` if there is no guest to wait for any more.
    async fn end_if_dead(&self, nonce: &str) -> Result<()> {
        // The bracket keeps the pattern from finding the shell that looks for it.
        let pattern = format!("[{}]{}", &nonce[..1], &nonce[1..]);
        self.host
            .execute(&format!(
                "case $(systemctl is-active {}) in inactive | failed) pkill -f {pattern} ;; esac",
                quote(&self.unit())
            ))
            .await
            .map(drop)
    }

    /// Runs `script` as root in the guest's namespaces, past everything that is under test: to look at
    /// the guest's state, many times and at a fraction of what [`Verbs::execute`] costs. Returns its
    /// standard output.
    ///
    /// What the script started would belong to no unit of the guest's, and a guest that shuts down does not
    /// come to an end while there is such a process. For all that there is [`Verbs::execute`].
    ///
    /// # Errors
    /// [`crate::Error::Command`] when it exits with anything but 0, or no guest runs.
    pub async fn look(&self, script: &str) -> Result<String> {
        // The guest's first process. On a host with cgroup v1 one more program has to be waited for.
        let first = quote(&format!(
            "/sys/fs/cgroup/machine.slice/{}/payload/init.scope/cgroup.procs",
            self.unit()
        ));
        let command = format!(
            "{{ read -r first <{first}; }} 2>/dev/null || first=$(machinectl show --property=Leader --value {}) || exit; \
             exec nsenter --target \"$first\" --all -- /bin/sh -c {}",
            quote(&self.name),
            quote(&format!("cd /; {script}"))
        );
        let output = self.host.execute(&command).await?;
        self.succeeded(script, output)
    }

    /// The boot id of the running guest: it changes with every start of the container.
    ///
    /// # Errors
    /// As [`Verbs::succeed`]. (A guest shares the kernel's boot id file with its host, but nspawn
    /// mounts one of its own over it.)
    pub async fn boot_id(&self) -> Result<String> {
        let id = self.succeed("cat /proc/sys/kernel/random/boot_id").await?;
        Ok(id.trim().to_owned())
    }
}

impl Verbs for Container<'_> {
    /// Runs `sh -c script` as root in the guest, through `systemd-run -M`.
    ///
    /// systemd-run exits with 0 when it loses the guest on the way
    /// (<https://github.com/NixOS/nixpkgs/issues/499574>), or tries for ever to reach it again. So
    /// the script itself reports its status behind a nonce, without which there is an error and no
    /// output; and a guest that is gone is not waited for.
    ///
    /// # Errors
    /// [`crate::Error::Command`] when the guest did not report, with what was printed instead: that there
    /// is no guest, or none any more, is a finding about the host.
    async fn execute_within(&self, script: &str, limit: Duration) -> Result<Output> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let nonce = format!("spawnlab-{}-{count}", std::process::id());
        let command = format!(
            "exec systemd-run -M {} --quiet --wait --collect --pipe --service-type=exec \
             --setenv={PATH} -- /bin/sh -c {}",
            quote(&self.name),
            quote(&format!(
                "({script}\n)\nstatus=$?; echo \"{nonce} $status\" >&2; exit $status"
            )),
        );
        let mut output = {
            let mut run = std::pin::pin!(self.host.execute_with(&command, b"", limit));
            loop {
                match tokio::time::timeout(LOOK, &mut run).await {
                    Ok(output) => break output?,
                    Err(_) => self.end_if_dead(&nonce).await?,
                }
            }
        };
        let marker = output.stderr.rfind(&nonce);
        let code = marker.and_then(|at| output.stderr[at + nonce.len()..].trim().parse().ok());
        let (Some(at), Some(code)) = (marker, code) else {
            return Err(CommandError {
                command: self.called(script),
                demand: "should report its end",
                status: output.status.to_string(),
                stdout: output.stdout,
                stderr: output.stderr,
            }
            .into());
        };
        output.stderr.truncate(at);
        output.status = Status::Exit(code);
        Ok(output)
    }

    fn limit(&self, limit: Duration) -> Duration {
        self.host.limit(limit)
    }

    fn called(&self, script: &str) -> String {
        format!("{} in {}", first_line(script), self.name)
    }
}

/// `text` as one word of a POSIX shell.
#[must_use]
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// `variables` as `env` takes them, each behind a blank.
#[must_use]
pub(crate) fn assignments<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    variables
        .into_iter()
        .map(|(name, value)| format!(" {}", quote(&format!("{name}={value}"))))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::quote;

    proptest! {
        #[test]
        fn a_shell_reads_back_what_was_quoted(text in "[^\0]{0,40}") {
            let output = std::process::Command::new("/bin/sh")
                .args(["-c", &format!("printf %s {}", quote(&text))])
                .output()
                .unwrap();
            prop_assert_eq!(String::from_utf8_lossy(&output.stdout), text);
        }
    }
}
