//! What a saboteur changes, in the words of systemd; [`Change::script`] is what the host's shell runs.

use crate::vm::container::quote;

/// A change to a host or a container, as plain data. Made by [`script`], [`file()`], [`drop_in`], [`shim`], [`edit`],
/// [`stop_unit`], [`in_guest`] and [`cut`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The container that it is made in; the host if there is none.
    guest: Option<&'static str>,
    act: Act,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Script(&'static str),
    File {
        path: &'static str,
        text: &'static str,
    },
    DropIn {
        unit: &'static str,
        text: &'static str,
    },
    Shim {
        program: &'static str,
        script: &'static str,
    },
    Edit {
        path: &'static str,
        command: &'static str,
    },
    StopUnit(&'static str),
    Cut,
}

/// Where programs are behind a [`shim`], on every distribution.
const PROGRAMS: &str = "/run/current-system/sw/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs `script` by `sh -e`, as root.
#[must_use]
pub const fn script(script: &'static str) -> Change {
    on_the_host(Act::Script(script))
}

/// Writes `text` and a line break into the file `path`, whose folder is made if need be.
#[must_use]
pub const fn file(path: &'static str, text: &'static str) -> Change {
    on_the_host(Act::File { path, text })
}

/// Gives `unit` a drop-in of `text` behind all others, until the next boot, and has systemd read it.
#[must_use]
pub const fn drop_in(unit: &'static str, text: &'static str) -> Change {
    on_the_host(Act::DropIn { unit, text })
}

/// Puts a shell script before `program`, which the script reaches as `real`: `real "$@"` runs it as it was called.
/// Whoever calls the program by its whole path passes by the script. So do units, and commands over ssh where their PATH has
/// neither of the two folders that the script is in until the next boot, `/run/wrappers/bin` and `/usr/local/bin`.
#[must_use]
pub const fn shim(program: &'static str, script: &'static str) -> Change {
    on_the_host(Act::Shim { program, script })
}

/// Changes the file `path` of the host by a `command` for sed, also where it is a link into the Nix store.
#[must_use]
pub const fn edit(path: &'static str, command: &'static str) -> Change {
    on_the_host(Act::Edit { path, command })
}

/// Stops `unit` and waits for its end.
#[must_use]
pub const fn stop_unit(unit: &'static str) -> Change {
    on_the_host(Act::StopUnit(unit))
}

/// Cuts the machine that the saboteur names off the network of its lab, both ways. Where the machine is the only one,
/// there is nothing to be cut.
#[must_use]
pub const fn cut() -> Change {
    on_the_host(Act::Cut)
}

/// Makes `change` in the container `guest` instead of on the host.
///
/// # Panics
/// While compiling, for an [`edit`]: a guest does not have the program that it takes; and for a [`cut`], which is
/// a machine's.
#[must_use]
pub const fn in_guest(guest: &'static str, change: Change) -> Change {
    assert!(
        !matches!(change.act, Act::Edit { .. }),
        "edit(..) is for files of the host; in a guest, script(\"sed -i ..\") does it"
    );
    assert!(
        !matches!(change.act, Act::Cut),
        "cut() is for a machine; in a guest, script(\"ip link ..\") does it"
    );
    Change {
        guest: Some(guest),
        act: change.act,
    }
}

const fn on_the_host(act: Act) -> Change {
    Change { guest: None, act }
}

impl Change {
    /// Whether it is made in the lab's network and not by a script.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        matches!(self.act, Act::Cut)
    }

    /// What the host's shell has to run; nothing for a [`cut`].
    #[must_use]
    pub fn script(&self) -> String {
        match (self.guest, self.act) {
            (None, act) => act.script(),
            (Some(guest), Act::StopUnit(unit)) => format!("systemctl -M {guest} stop {unit}"),
            (Some(guest), act) => {
                format!("/lab/tools/in-guest {guest} {}", quote(&act.script()))
            }
        }
    }
}

impl Act {
    fn script(self) -> String {
        match self {
            Self::Script(script) => script.to_owned(),
            Self::File { path, text } => write(path, text),
            Self::DropIn { unit, text } => {
                let path = format!("/run/systemd/system/{unit}.d/zz-sabotage.conf");
                format!("{}\nsystemctl daemon-reload", write(&path, text))
            }
            // The first folder in the PATH of commands, on every distribution, and of whoever comes over ssh to NixOS;
            // and that of whoever comes over ssh to others.
            Self::Shim { program, script } => {
                let path = format!("/run/wrappers/bin/{program}");
                let text = format!(
                    "#!/bin/sh\nreal() {{ \"$(PATH={PROGRAMS}; command -v {program})\" \"$@\"; }}\n{script}"
                );
                let link =
                    format!("mkdir -p /usr/local/bin\nln -sf {path} /usr/local/bin/{program}");
                format!("{}\nchmod 755 {path}\n{link}", write(&path, &text))
            }
            Self::Edit { path, command } => {
                let command = quote(command);
                format!("/lab/tools/editable {path}\nsed -i {command} {path}")
            }
            Self::StopUnit(unit) => format!("systemctl stop {unit}"),
            Self::Cut => String::new(),
        }
    }
}

/// Writes `text` into the file `path`.
fn write(path: &str, text: &str) -> String {
    let folder = path.rsplit_once('/').map_or(".", |(folder, _)| folder);
    let text = quote(text);
    format!("mkdir -p {folder}\nprintf '%s\\n' {text} > {path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_a_script() {
        let changes = [
            script("nft delete table ip io.systemd.nat"),
            file("/etc/polkit-1/rules.d/00-sabotage.rules", "return 'no';"),
            drop_in("web.service", "[Service]\nKillMode=control-group"),
            shim("nft", "real \"$@\" 2>&1"),
            edit("/etc/nsswitch.conf", "/^hosts:/s/.*/hosts: files/"),
            stop_unit("web.service"),
            in_guest("web", stop_unit("nginx.service")),
            in_guest("web", script("mount -t tmpfs none '/dev/pts'")),
            in_guest("web", drop_in("nginx.service", "[Service]\nRestart=no")),
        ];
        let scripts = changes.map(|change| format!("{change:?}\n{}", change.script()));
        insta::assert_snapshot!(scripts.join("\n\n"));
    }

    /// What the scripts write, as a shell writes it.
    #[test]
    fn a_shell_writes_what_was_given() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new/file");
        let text = "[Service]\nExecReload=/bin/sh -c 'exec \"%n\" $$ \\n'";
        let script = write(path.to_str().expect("UTF-8"), text);
        let shell = std::process::Command::new("/bin/sh")
            .args(["-ec", &script])
            .status();
        assert!(shell.expect("a shell").success());
        let written = fs_err::read_to_string(&path).expect("written");
        assert_eq!(written, format!("{text}\n"));
    }

    /// What the shell of a guest gets is one word of the host's, whatever is quoted in it.
    #[test]
    fn a_guests_shell_reads_what_was_given() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = "[Service]\nExecStart=/bin/sh -c 'echo \"it''s\" $PATH'";
        let change = in_guest("web", file("/place/of/it", text));
        let root = folder.path().to_str().expect("UTF-8");
        let script = change
            .script()
            .replace("/lab/tools/in-guest web", "/bin/sh -ec")
            .replace("/place", root);
        let shell = std::process::Command::new("/bin/sh")
            .args(["-ec", &script])
            .status();
        assert!(shell.expect("a shell").success(), "{script}");
        let written = fs_err::read_to_string(folder.path().join("of/it")).expect("written");
        assert_eq!(written, format!("{text}\n"));
    }

    /// The program behind a shim is found where programs are, and the shim by either of its folders.
    #[test]
    fn a_shim_stands_before_its_program() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().to_str().expect("UTF-8");
        let script = shim("uname", "echo before; real \"$@\"; echo behind").script();
        // The second call is that of somebody who comes over ssh, where the first folder is not in the PATH.
        let script = format!(
            "{script}\nPATH=/run/wrappers/bin:/usr/local/bin:$PATH uname -s\nPATH=/usr/local/bin:$PATH uname -s"
        )
            .replace("/run/wrappers/bin", root)
            .replace("/usr/local/bin", &format!("{root}/local"));
        let output = std::process::Command::new("/bin/sh")
            .args(["-ec", &script])
            .output();
        let said = String::from_utf8(output.expect("a shell").stdout).expect("UTF-8");
        assert_eq!(said, "before\nLinux\nbehind\n".repeat(2));
    }
}
