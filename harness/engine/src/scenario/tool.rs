//! How a deploy tool is called: the contract of the public reference, nothing of ours.

use std::os::unix::fs::PermissionsExt;

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    util::error::Result,
    vm::{
        container::{assignments, quote},
        host::Host,
        qemu::agent::Output,
    },
};

/// What a tool is.
pub const FORM: &str =
    "the path of an executable file that is called as TOOL [-v] MACHINE TARGET [CONTAINER]";

/// The absolute path of the executable file `path`: looked at before minutes are spent on a VM.
///
/// # Errors
/// A message for the user: it is not there, or no such file.
pub fn checked(path: &Utf8Path) -> Result<Utf8PathBuf, String> {
    let meta = path.metadata().map_err(|error| error.to_string())?;
    if !meta.is_file() {
        return Err("not a file".into());
    }
    if meta.permissions().mode() & 0o111 == 0 {
        return Err("not executable".into());
    }
    path.canonicalize_utf8().map_err(|error| error.to_string())
}

/// Where a deploy goes: an ssh destination, or a machine of the lab, as root and by its name.
#[derive(Debug, Clone)]
pub struct Destination(String);

impl From<&str> for Destination {
    fn from(destination: &str) -> Self {
        Self(destination.to_owned())
    }
}

impl From<&String> for Destination {
    fn from(destination: &String) -> Self {
        Self(destination.clone())
    }
}

impl From<&Host> for Destination {
    fn from(machine: &Host) -> Self {
        Self(format!("root@{}", machine.name()))
    }
}

/// One call of the tool under test, on the deploying side.
#[derive(Debug, Clone)]
pub struct Deploy<'a> {
    machine: &'a str,
    container: Option<&'a str>,
    from: Option<&'a Host>,
    target: Destination,
    flags: Vec<&'a str>,
    user: &'a str,
    flake: &'a str,
    environment: Vec<(&'a str, &'a str)>,
}

/// Where provisioning links the tool under test.
const TOOL: &str = "/usr/local/bin/nixos-deploy-container";
/// How long a deploy may take with KVM. A tool that asks Nix anew each time evaluates all of nixpkgs for a NixOS guest.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(120);

impl<'a> Deploy<'a> {
    /// Deploys `machine` of the lab's flake into the container of the same name on this host, as
    /// the deploying user with root's rights on the target.
    #[must_use]
    pub fn of(machine: &'a str) -> Self {
        Self {
            machine,
            container: None,
            from: None,
            target: "root@localhost".into(),
            flags: Vec::new(),
            user: "deployer",
            flake: "/home/deployer/flake",
            environment: Vec::new(),
        }
    }

    /// Into the container `container`: the contract's third argument.
    #[must_use]
    pub fn into(mut self, container: &'a str) -> Self {
        self.container = Some(container);
        self
    }

    /// From `machine`, which has a flake and a key of its own, instead of from the host to itself.
    #[must_use]
    pub fn from(mut self, machine: &'a Host) -> Self {
        self.from = Some(machine);
        self
    }

    /// To another ssh destination, or to another machine of the lab.
    #[must_use]
    pub fn to(mut self, target: impl Into<Destination>) -> Self {
        self.target = target.into();
        self
    }

    /// With `flag` before the positional arguments.
    #[must_use]
    pub fn flag(mut self, flag: &'a str) -> Self {
        self.flags.push(flag);
        self
    }

    /// From another flake's folder.
    #[must_use]
    pub fn from_flake(mut self, folder: &'a str) -> Self {
        self.flake = folder;
        self
    }

    /// As another user of the host, whose Nix store is then in their home below /home.
    #[must_use]
    pub fn by(mut self, user: &'a str) -> Self {
        self.user = user;
        self
    }

    /// With the variable `name` in the environment.
    #[must_use]
    pub fn with(mut self, name: &'a str, value: &'a str) -> Self {
        self.environment.push((name, value));
        self
    }

    /// The command, as root on the host types it.
    #[must_use]
    pub fn script(&self) -> String {
        let mut words = vec![TOOL];
        words.extend(&self.flags);
        words.extend([self.machine, &self.target.0]);
        words.extend(self.container);
        let words: Vec<String> = words.into_iter().map(quote).collect();
        let user = self.user;
        let variables = assignments(self.environment.iter().copied());
        // The deploying side has a store of its own: with the target's, evaluating would already
        // put the derivation where the copy, the heart of the tool, is to bring it. Its PATH is the
        // host's, for a reset environment knows only the folders that all distributions have.
        format!(
            "exec setpriv --reuid {user} --regid {user} --init-groups --reset-env \
             env PATH=\"$PATH\" NIX_REMOTE='local?root=/home/{user}/store'{variables} \
             sh -c 'cd \"$0\" && exec \"$@\"' {} {}",
            quote(self.flake),
            words.join(" ")
        )
    }

    /// Runs it on the machine that it is [from](Self::from), else on `host`, which plays both sides then.
    ///
    /// # Errors
    /// Those of [`Host::execute_with`]; a tool that fails is an [`Output`].
    pub async fn run(&self, host: &Host) -> Result<Output> {
        // If it fails, the walk along the chain should be this container's.
        host.asked_for(self.container.unwrap_or(self.machine));
        let deploying = self.from.unwrap_or(host);
        deploying.execute_with(&self.script(), b"", LIMIT).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_executable_file_will_do() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        let tool = folder.join("tool");
        let why = |path: &Utf8Path| checked(path).expect_err("refused");
        assert!(why(&tool).contains("No such file"));
        assert!(why(folder).contains("not a file"));
        fs_err::write(&tool, "#!/bin/sh\n").unwrap();
        assert!(why(&tool).contains("not executable"));
        fs_err::set_permissions(&tool, PermissionsExt::from_mode(0o755)).unwrap();
        assert!(checked(&tool).is_ok_and(|path| path.is_absolute()));
    }

    #[test]
    fn the_contract_as_a_command() {
        insta::assert_snapshot!(Deploy::of("web").script());
        insta::assert_snapshot!(
            Deploy::of("web")
                .into("prod")
                .to("teamdev@localhost")
                .flag("-v")
                .script()
        );
    }
}
