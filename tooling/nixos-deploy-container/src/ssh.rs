//! One ssh connection for the whole deploy: where its socket lives, and the options that every user of it gets.

use crate::command::CommandLine;
use crate::names::Target;
use crate::step::seconds;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// A socket address holds 104 bytes on the tightest system (108 on Linux), and while ssh binds its control socket
/// the name is longer by a dot, sixteen random characters and the end of the string.
const SOCKET_PATH_MAX: usize = 104 - 18;

const PREFIX: &str = "nixos-deploy-";
/// What the random part of the folder and the socket's own name add to the prefix.
const SUFFIX_LENGTH: usize = "abcdef/ssh".len();

/// The ssh side of a deploy.
#[derive(Debug)]
pub(crate) struct Ssh {
    destination: String,
    socket: PathBuf,
    connect_timeout: Duration,
    extra: Vec<String>,
    /// Only the owner may enter: who reaches the socket has the connection. Removed when this value goes.
    _folder: TempDir,
}

impl Ssh {
    /// Makes the folder for the socket. `extra` are options that the user wants for every connection.
    pub(crate) fn prepare(
        target: &Target,
        connect_timeout: Duration,
        extra: Vec<String>,
    ) -> io::Result<Self> {
        let base = base_folder(&std::env::temp_dir());
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(base)?;
        Ok(Self {
            destination: target.destination(),
            socket: folder.path().join("ssh"),
            connect_timeout,
            extra,
            _folder: folder,
        })
    }

    /// The session that opens the connection and keeps it for the others, running `sh` on the host.
    pub(crate) fn master(&self) -> CommandLine {
        self.session("ControlMaster=yes")
            .args(["-o", "Compression=yes", &self.destination, "sh"])
    }

    /// A further session over the same connection, running `sh` on the host.
    pub(crate) fn shell(&self) -> CommandLine {
        self.session("ControlMaster=no")
            .args([&self.destination, "sh"])
    }

    /// Options for an ssh that somebody else starts.
    pub(crate) fn options(&self) -> Vec<String> {
        self.options_with("ControlMaster=no")
    }

    fn session(&self, control: &str) -> CommandLine {
        CommandLine::new("ssh").args(self.options_with(control))
    }

    fn options_with(&self, control: &str) -> Vec<String> {
        let timeout = format!("ConnectTimeout={}", seconds(self.connect_timeout));
        let socket = format!("ControlPath={}", self.socket.display());
        let fixed = [
            control,
            &socket,
            "ControlPersist=no",
            // Nobody is there to answer a question: a password or an unknown host key ends the connection.
            "BatchMode=yes",
            &timeout,
            "ServerAliveInterval=15",
            "ServerAliveCountMax=4",
            // Settings that a user may have for interactive use of this host.
            "RequestTTY=no",
            "RemoteCommand=none",
        ];
        let fixed = fixed
            .into_iter()
            .flat_map(|option| ["-o".to_owned(), option.to_owned()]);
        self.extra.iter().cloned().chain(fixed).collect()
    }
}

/// Splits the user's `NIX_SSHOPTS` as all versions of Nix do: at blanks. Newer ones also know quotes, and a value that
/// needs them would mean two things.
pub(crate) fn split_options(text: &str) -> Result<Vec<String>, String> {
    if text.contains(['\'', '"', '\\']) {
        return Err("NIX_SSHOPTS holds quotes, which not every Nix reads: put such options into the ssh configuration".into());
    }
    Ok(text.split_whitespace().map(str::to_owned).collect())
}

/// `wanted`, or /tmp where a socket's path under `wanted` would be too long, or would not survive being one word of
/// `NIX_SSHOPTS` or the expansion of percent signs in `ControlPath`.
fn base_folder(wanted: &Path) -> PathBuf {
    let fits = wanted.to_str().is_some_and(|text| {
        text.starts_with('/')
            && text.len() + 1 + PREFIX.len() + SUFFIX_LENGTH <= SOCKET_PATH_MAX
            && text
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || "/._-+".contains(character))
    });
    if fits {
        wanted.to_owned()
    } else {
        PathBuf::from("/tmp")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ssh() -> Ssh {
        let target = "root@host".parse().unwrap();
        let mut ssh = Ssh::prepare(
            &target,
            Duration::from_secs(30),
            vec!["-p".into(), "2222".into()],
        )
        .unwrap();
        ssh.socket = PathBuf::from("/tmp/folder/ssh");
        ssh
    }

    #[test]
    fn command_lines() {
        insta::assert_snapshot!(ssh().master(), @"ssh -p 2222 -o ControlMaster=yes -o ControlPath=/tmp/folder/ssh -o ControlPersist=no -o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 -o RequestTTY=no -o RemoteCommand=none -o Compression=yes root@host sh");
        insta::assert_snapshot!(ssh().shell(), @"ssh -p 2222 -o ControlMaster=no -o ControlPath=/tmp/folder/ssh -o ControlPersist=no -o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 -o RequestTTY=no -o RemoteCommand=none root@host sh");
    }

    #[test]
    fn the_folder_is_private_and_goes_with_its_owner() {
        let target = "host".parse().unwrap();
        let ssh = Ssh::prepare(&target, Duration::from_secs(1), Vec::new()).unwrap();
        let folder = ssh.socket.parent().unwrap().to_owned();
        assert_eq!(
            folder.metadata().unwrap().permissions().mode() & 0o777,
            0o700
        );
        assert!(ssh.socket.as_os_str().len() <= SOCKET_PATH_MAX);
        drop(ssh);
        assert!(!folder.exists());
    }

    #[test]
    fn an_awkward_temporary_folder_is_not_used() {
        assert_eq!(base_folder(Path::new("/var/tmp")), Path::new("/var/tmp"));
        assert_eq!(
            base_folder(Path::new("/home/a user/tmp")),
            Path::new("/tmp")
        );
        assert_eq!(base_folder(Path::new("/tmp/100%")), Path::new("/tmp"));
        assert_eq!(base_folder(Path::new("relative")), Path::new("/tmp"));
        assert_eq!(
            base_folder(Path::new(&format!("/{}", "x".repeat(63)))),
            Path::new("/tmp")
        );
    }

    #[test]
    fn options_of_the_user() {
        assert_eq!(split_options(" -p 2222 ").unwrap(), ["-p", "2222"]);
        assert!(split_options("-o 'ProxyCommand=a b'").is_err());
    }
}
