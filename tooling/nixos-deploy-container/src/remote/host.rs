//! What a host says about itself and its containers before a deploy.

use crate::failure::Failure;
use crate::names::{Container, Target};

/// The answers of `check.sh`, line by line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Host {
    /// Who the tool is there; told where a profile folder is not writable.
    pub(crate) user: String,
    /// There is a Nix.
    pub(crate) nix: bool,
    /// The program that a connection of Nix starts: its path where its name is not enough, else an empty text.
    pub(crate) daemon: Option<String>,
    /// How many derivations it keeps from being collected.
    pub(crate) kept: usize,
    /// Links of deploys that were under way when it went down.
    pub(crate) cut_short: Vec<String>,
    /// It keeps them no longer, as it was asked to.
    pub(crate) released: bool,
    pub(crate) declared: Vec<String>,
    pub(crate) containers: Vec<State>,
    /// The host has said all.
    pub(crate) complete: bool,
}

/// One container on the host.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) name: String,
    pub(crate) settings: bool,
    pub(crate) dropin: bool,
    pub(crate) folder: bool,
    pub(crate) writable: bool,
    /// The profile's link, such as `system-3-link`.
    pub(crate) generation: Option<String>,
    pub(crate) closure: Option<String>,
    /// systemd's word: `active`, `inactive`, `failed`, ...
    pub(crate) state: String,
}

impl Host {
    /// Takes one line, and says whether it was meant for the tool (login banners are not, for example).
    pub(crate) fn read(&mut self, nonce: &str, line: &str) -> bool {
        let Some(rest) = line
            .strip_prefix(nonce)
            .and_then(|rest| rest.strip_prefix(' '))
        else {
            return false;
        };
        let (key, value) = rest.split_once(' ').unwrap_or((rest, ""));
        match (key, self.containers.last_mut()) {
            ("user", _) => value.clone_into(&mut self.user),
            ("nix", _) => self.nix = true,
            ("daemon", _) => self.daemon = Some(value.trim_end().to_owned()),
            ("kept", _) => self.kept += 1,
            ("released", _) => self.released = true,
            ("cut-short", _) => self.cut_short.push(value.to_owned()),
            ("declared", _) => self.declared.push(value.to_owned()),
            ("container", _) => self.containers.push(State {
                name: value.to_owned(),
                ..State::default()
            }),
            ("end", _) => self.complete = true,
            ("settings", Some(container)) => container.settings = true,
            ("dropin", Some(container)) => container.dropin = true,
            ("folder", Some(container)) => container.folder = true,
            ("writable", Some(container)) => container.writable = true,
            ("generation", Some(container)) => container.generation = Some(value.to_owned()),
            ("closure", Some(container)) => container.closure = Some(value.to_owned()),
            ("state", Some(container)) => value.clone_into(&mut container.state),
            _ => {}
        }
        true
    }

    /// The state of one container, if the host told it.
    pub(crate) fn container(&self, name: &Container) -> Option<&State> {
        self.containers
            .iter()
            .find(|state| state.name == name.as_str())
    }

    /// Whether these containers can be deployed there; the first obstacle otherwise.
    pub(crate) fn accepts(
        &self,
        target: &Target,
        containers: &[&Container],
    ) -> Result<(), Failure> {
        let refused = |reason: String, next: String| Err(Failure::Refused { reason, next });
        if !self.nix {
            return refused(
                format!("{target} has no `nix` on the PATH that a command over ssh gets"),
                "install Nix there, or set the PATH for non-interactive shells".into(),
            );
        }
        if self.daemon.is_none() {
            return refused(
                format!("{target} has `nix`, and no `nix-daemon`, which a copy is received by"),
                "install the whole of Nix there".into(),
            );
        }
        for name in containers {
            let Some(state) = self.container(name) else {
                return refused(
                    format!("{target} said nothing about container `{name}`"),
                    "try again with -v".into(),
                );
            };
            if let Some(lacking) = state.lacking() {
                let known = if self.declared.is_empty() {
                    "none".to_owned()
                } else {
                    self.declared.join(", ")
                };
                return refused(
                    format!(
                        "container `{name}` is not declared on {target}: {lacking} (declared there: {known})"
                    ),
                    format!(
                        "declare `{name}` in the configuration of the host, apply that, and deploy again"
                    ),
                );
            }
            if !state.writable {
                return refused(
                    format!(
                        "user {} of {target} may not write the profile folder of container `{name}`",
                        self.user
                    ),
                    format!(
                        "deploy as root, or make that user a member of the deploy group of `{name}`"
                    ),
                );
            }
        }
        Ok(())
    }
}

impl State {
    fn lacking(&self) -> Option<String> {
        let name = &self.name;
        if !self.settings {
            Some(format!(
                "there is no {name}.nspawn in /etc/systemd/nspawn or /run/systemd/nspawn"
            ))
        } else if !self.dropin {
            Some(format!(
                "systemd-nspawn@{name}.service has no drop-in of its own"
            ))
        } else if !self.folder {
            Some(format!(
                "there is no folder /nix/var/nix/profiles/per-container/{name}"
            ))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(lines: &str) -> Host {
        let mut host = Host::default();
        for line in lines.lines() {
            host.read("N", line.trim());
        }
        host
    }

    const GOOD: &str = "Welcome to this host
        N nix yes
        N daemon
        N declared bare
        N declared web
        N container web
        N settings yes
        N dropin yes
        N folder yes
        N writable yes
        N generation system-3-link
        N closure /nix/store/abc-web
        N state active
        N end";

    fn verdict(lines: &str) -> String {
        let target = "root@host".parse().unwrap();
        let web: Container = "web".parse().unwrap();
        host(lines)
            .accepts(&target, &[&web])
            .map_or_else(|failure| failure.to_string(), |()| "accepted".into())
    }

    #[test]
    fn a_declared_container_is_accepted() {
        let host = host(GOOD);
        assert!(host.complete);
        assert_eq!(host.declared, ["bare", "web"]);
        assert_eq!(
            host.containers[0].generation.as_deref(),
            Some("system-3-link")
        );
        assert_eq!(verdict(GOOD), "accepted");
    }

    #[test]
    fn refusals() {
        let without = |line: &str| {
            let kept: Vec<_> = GOOD.lines().filter(|kept| kept.trim() != line).collect();
            verdict(&kept.join("\n"))
        };
        insta::assert_snapshot!(without("N settings yes"), @r"
        container `web` is not declared on root@host: there is no web.nspawn in /etc/systemd/nspawn or /run/systemd/nspawn (declared there: bare, web)
        next: declare `web` in the configuration of the host, apply that, and deploy again
        ");
        insta::assert_snapshot!(without("N dropin yes"), @r"
        container `web` is not declared on root@host: systemd-nspawn@web.service has no drop-in of its own (declared there: bare, web)
        next: declare `web` in the configuration of the host, apply that, and deploy again
        ");
        let not_writable = GOOD.replace("N writable yes", "N user dev");
        insta::assert_snapshot!(verdict(&not_writable), @r"
        user dev of root@host may not write the profile folder of container `web`
        next: deploy as root, or make that user a member of the deploy group of `web`
        ");
        insta::assert_snapshot!(without("N nix yes"), @r"
        root@host has no `nix` on the PATH that a command over ssh gets
        next: install Nix there, or set the PATH for non-interactive shells
        ");
        insta::assert_snapshot!(without("N daemon"), @r"
        root@host has `nix`, and no `nix-daemon`, which a copy is received by
        next: install the whole of Nix there
        ");
    }

    #[test]
    fn lines_of_others_are_not_taken_for_answers() {
        assert_eq!(host("user mallory\nX end\nNend"), Host::default());
    }
}
