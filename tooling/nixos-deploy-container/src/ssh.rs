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
    /// How often the other side is asked whether it is there.
    sign_of_life: Duration,
    extra: Vec<String>,
    /// ssh is OpenSSH 8.7 or newer, as far as is known.
    newer: bool,
    /// Only the owner may enter: who reaches the socket has the connection. Removed when this value goes.
    _folder: TempDir,
}

impl Ssh {
    /// Makes the folder for the socket. `extra` are options that the user wants for every connection.
    pub(crate) fn prepare(
        target: &Target,
        connect_timeout: Duration,
        sign_of_life: Duration,
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
            sign_of_life,
            extra,
            newer: true,
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
        self.options_with("ControlMaster=no", &[])
    }

    /// The same for one that is to have a connection of its own.
    pub(crate) fn options_alone(&self) -> Vec<String> {
        let shared = format!("ControlPath={}", self.socket.display());
        let mut options = self.options();
        for option in &mut options {
            if *option == shared {
                "ControlPath=none".clone_into(option);
            }
        }
        options
    }

    /// Whether ssh gave up over an option that older releases do not know; without those it may be asked again.
    pub(crate) fn was_too_old(&mut self, said: &[String]) -> bool {
        let unknown = |line: &String| line.contains("Bad configuration option:");
        let too_old = self.newer && said.iter().any(unknown);
        self.newer &= !too_old;
        too_old
    }

    fn session(&self, control: &str) -> CommandLine {
        // Not for others: Nix has ssh run a command here, by which it knows that the connection is there.
        let own = ["PermitLocalCommand=no"];
        CommandLine::new("ssh").args(self.options_with(control, &own))
    }

    /// The first value that ssh reads of an option counts: before the user's own words come those that a deploy needs,
    /// and the configuration files come last.
    fn options_with(&self, control: &str, own: &[&str]) -> Vec<String> {
        let timeout = format!("ConnectTimeout={}", seconds(self.connect_timeout));
        let interval = format!("ServerAliveInterval={}", seconds(self.sign_of_life));
        let socket = format!("ControlPath={}", self.socket.display());
        let fixed = [
            control,
            &socket,
            "ControlPersist=no",
            // Nobody is there to answer a question: a password or an unknown host key ends the connection.
            "BatchMode=yes",
            &timeout,
            &interval,
            "ServerAliveCountMax=4",
            // Settings that a user may have for interactive use of this host. A port that is forwarded already, by a
            // session of the user's, would end this one.
            "RequestTTY=no",
            "RemoteCommand=none",
            "ClearAllForwardings=yes",
            "ForwardAgent=no",
            "ForwardX11=no",
            "Tunnel=no",
            // What ssh says is what an error repeats.
            "LogLevel=INFO",
        ];
        // Since OpenSSH 8.7. Of a host that is there for its tunnel, configuration files may say the opposite.
        let newer = [
            "SessionType=default",
            "StdinNull=no",
            "ForkAfterAuthentication=no",
        ];
        let newer = newer.iter().filter(|_| self.newer);
        let all = fixed.iter().chain(own).chain(newer);
        let words = all.flat_map(|option| ["-o".to_owned(), (*option).to_owned()]);
        let extra = self.extra.iter().cloned();
        // Of the flags that ask for a terminal or for none, the last one counts.
        words.chain(extra).chain(["-T".to_owned()]).collect()
    }
}

/// Flags of ssh that take a value.
const WITH_VALUE: &str = "BbcDEeFIiJLlmOopPQRSWw";

/// Flags that leave no session to deploy with, or make it somebody else's.
const IN_THE_WAY: &str = "fGMNnOQSsVW";

/// Splits the user's `NIX_SSHOPTS` as all versions of Nix do: at blanks. Newer ones also know quotes, and a value that
/// needs them would mean two things.
pub(crate) fn split_options(text: &str) -> Result<Vec<String>, String> {
    if text.contains(['\'', '"', '\\']) {
        return Err("NIX_SSHOPTS holds quotes, which not every Nix reads: put such options into the ssh configuration".into());
    }
    let words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
    let mut left = words.iter();
    while let Some(word) = left.next() {
        let Some(flags) = word.strip_prefix('-').filter(|flags| !flags.is_empty()) else {
            return Err(format!(
                "NIX_SSHOPTS holds `{word}`, which is no option of ssh: the host is the second argument, and options with \
                 blanks belong in the ssh configuration"
            ));
        };
        for (at, flag) in flags.char_indices() {
            if IN_THE_WAY.contains(flag) {
                return Err(format!(
                    "NIX_SSHOPTS holds `-{flag}`, with which ssh can't be used for a deploy: leave it out"
                ));
            }
            if WITH_VALUE.contains(flag) {
                if at + flag.len_utf8() == flags.len() {
                    left.next();
                }
                break;
            }
        }
    }
    Ok(words)
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
    use rstest::rstest;

    fn ssh() -> Ssh {
        let target = "root@host".parse().unwrap();
        let mut ssh = Ssh::prepare(
            &target,
            Duration::from_secs(30),
            Duration::from_secs(15),
            vec!["-p".into(), "2222".into()],
        )
        .unwrap();
        ssh.socket = PathBuf::from("/tmp/folder/ssh");
        ssh
    }

    #[test]
    fn command_lines() {
        insta::assert_snapshot!(ssh().master(), @"ssh -o ControlMaster=yes -o ControlPath=/tmp/folder/ssh -o ControlPersist=no -o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 -o RequestTTY=no -o RemoteCommand=none -o ClearAllForwardings=yes -o ForwardAgent=no -o ForwardX11=no -o Tunnel=no -o LogLevel=INFO -o PermitLocalCommand=no -o SessionType=default -o StdinNull=no -o ForkAfterAuthentication=no -p 2222 -T -o Compression=yes root@host sh");
        insta::assert_snapshot!(ssh().shell(), @"ssh -o ControlMaster=no -o ControlPath=/tmp/folder/ssh -o ControlPersist=no -o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 -o RequestTTY=no -o RemoteCommand=none -o ClearAllForwardings=yes -o ForwardAgent=no -o ForwardX11=no -o Tunnel=no -o LogLevel=INFO -o PermitLocalCommand=no -o SessionType=default -o StdinNull=no -o ForkAfterAuthentication=no -p 2222 -T root@host sh");
        insta::assert_snapshot!(ssh().options().join(" "), @"-o ControlMaster=no -o ControlPath=/tmp/folder/ssh -o ControlPersist=no -o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 -o RequestTTY=no -o RemoteCommand=none -o ClearAllForwardings=yes -o ForwardAgent=no -o ForwardX11=no -o Tunnel=no -o LogLevel=INFO -o SessionType=default -o StdinNull=no -o ForkAfterAuthentication=no -p 2222 -T");
    }

    #[test]
    fn a_connection_of_its_own_shares_nothing_else() {
        let (shared, alone) = (ssh().options(), ssh().options_alone());
        let differing: Vec<_> = shared.iter().zip(&alone).filter(|(a, b)| a != b).collect();
        assert_eq!(differing.len(), 1);
        assert_eq!(differing[0].1, "ControlPath=none");
    }

    #[test]
    fn the_folder_is_private_and_goes_with_its_owner() {
        let target = "host".parse().unwrap();
        let ssh = Ssh::prepare(
            &target,
            Duration::from_secs(1),
            Duration::from_secs(5),
            Vec::new(),
        )
        .unwrap();
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

    #[rstest]
    #[case("-4Cp2222 -tt -oLogLevel=DEBUG -i /keys/N -J jump")]
    #[case("-vo RequestTTY=force -F none")]
    #[case("")]
    fn options_that_a_deploy_can_live_with(#[case] text: &str) {
        let words: Vec<_> = text.split(' ').filter(|word| !word.is_empty()).collect();
        assert_eq!(split_options(text).unwrap(), words);
    }

    /// <https://github.com/NixOS/nixpkgs/issues/282856>, and the rest of its kind.
    #[rstest]
    #[case("-N", "-N")]
    #[case("-4n", "-n")]
    #[case("-p 22 -f", "-f")]
    #[case("-S /tmp/socket", "-S")]
    #[case("-W host:22", "-W")]
    #[case("root@elsewhere", "root@elsewhere")]
    #[case("-o User root", "root")]
    fn options_in_the_way_are_named(#[case] text: &str, #[case] named: &str) {
        let error = split_options(text).unwrap_err();
        assert!(error.contains(&format!("`{named}`")), "{error}");
    }

    /// What the real ssh makes of the options, whatever the configuration says. ssh shows its settings and connects to
    /// nobody.
    ///
    /// <https://github.com/NixOS/nixpkgs/issues/538973>, <https://github.com/NixOS/nixpkgs/issues/282856>
    #[test]
    fn settings_for_interactive_use_do_not_reach_a_deploy() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        let settings = "Host *\n RemoteForward 8152 localhost:22\n LocalForward 8153 localhost:22\n \
             DynamicForward 8154\n ExitOnForwardFailure yes\n RequestTTY force\n RemoteCommand tmux\n \
             SessionType none\n StdinNull yes\n ForkAfterAuthentication yes\n ForwardAgent yes\n ForwardX11 yes\n \
             Tunnel yes\n PermitLocalCommand yes\n LocalCommand true\n ControlMaster auto\n ControlPath ~/%h\n \
             ControlPersist 10m\n LogLevel QUIET\n";
        std::fs::write(&file, settings).unwrap();
        let mut ssh = ssh();
        ssh.extra = ["-tt", "-oRequestTTY=force", "-oControlPath=/tmp/other"]
            .map(str::to_owned)
            .to_vec();
        let session = ssh.session("ControlMaster=yes");
        let file = file.to_str().unwrap();
        let mut command = session.args(["-F", file, "-G", "host"]).to_process();
        let output = command.output();
        let Ok(output) = output.map_err(|error| eprintln!("there is no ssh here: {error}")) else {
            return;
        };
        let shown = String::from_utf8(output.stdout).unwrap();
        let settings = |key: &str| {
            let lines = shown.lines().filter_map(|line| line.split_once(' '));
            let values = lines.filter(|(name, _)| *name == key);
            values.map(|(_, value)| value).collect::<Vec<_>>().join(",")
        };
        for (key, wanted) in [
            ("remoteforward", ""),
            ("localforward", ""),
            ("dynamicforward", ""),
            ("requesttty", "false"),
            ("sessiontype", "default"),
            ("stdinnull", "no"),
            ("forkafterauthentication", "no"),
            ("forwardagent", "no"),
            ("forwardx11", "no"),
            ("tunnel", "false"),
            ("permitlocalcommand", "no"),
            ("controlmaster", "true"),
            ("controlpath", "/tmp/folder/ssh"),
            ("loglevel", "INFO"),
        ] {
            assert_eq!(settings(key), wanted, "{key} of\n{shown}");
        }
    }

    #[test]
    fn an_older_ssh_is_asked_without_newer_options_once() {
        let said = ["command-line: line 0: Bad configuration option: sessiontype".to_owned()];
        let mut ssh = ssh();
        assert!(ssh.was_too_old(&said));
        assert!(!ssh.master().to_string().contains("SessionType"));
        assert!(!ssh.was_too_old(&said));
    }
}
