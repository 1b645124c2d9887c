//! Scripts for the host: a pure function of their parameters each. The fixed text lies beside this file.

use crate::cli::Mode;
use crate::names::Container;
use crate::quote::quote;
use crate::step::{Limits, seconds};

const COMMON: &str = include_str!("common.sh");
const NIX: &str = include_str!("nix.sh");
const CHECK: &str = include_str!("check.sh");
const RECOVER: &str = include_str!("recover.sh");
const BUILD: &str = include_str!("build.sh");
const SWITCH: &str = include_str!("switch.sh");

/// What `switch` has to know.
#[derive(Debug)]
pub(crate) struct Switch<'a> {
    pub(crate) container: &'a Container,
    /// Who deploys, for another one who would do so meanwhile.
    pub(crate) caller: &'a str,
    pub(crate) mode: Mode,
    /// What to build; empty for a rollback.
    pub(crate) installable: &'a str,
    pub(crate) nix_flags: &'a [&'a str],
    pub(crate) limits: &'a Limits,
}

/// Reads the state of the host and of these containers.
///
/// With `detail`, also what the containers have and do now: that takes longer.
pub(crate) fn check(
    nonce: &str,
    containers: &[&Container],
    detail: bool,
    limits: &Limits,
) -> String {
    let containers: Vec<_> = containers
        .iter()
        .map(|container| container.as_str())
        .collect();
    let parameters = [
        ("nonce", nonce),
        ("containers", &containers.join(" ")),
        ("detail", if detail { "yes" } else { "no" }),
        ("connect_seconds", &seconds(limits.connect).to_string()),
        ("silence_seconds", &seconds(limits.silence()).to_string()),
        ("build_seconds", &seconds(limits.build).to_string()),
    ];
    compose(&parameters, &[COMMON, CHECK])
}

/// Removes what is registered on the host and not whole, after deploys with these `links` were cut short.
pub(crate) fn recover(nonce: &str, links: &[String], limits: &Limits) -> String {
    let parameters = [
        ("nonce", nonce),
        ("links", &links.join(" ")),
        ("build_seconds", &seconds(limits.build).to_string()),
    ];
    compose(&parameters, &[COMMON, RECOVER])
}

/// Builds several systems without touching a profile.
pub(crate) fn build(
    nonce: &str,
    installables: &[String],
    nix_flags: &[&str],
    limits: &Limits,
) -> String {
    let parameters = [
        ("nonce", nonce),
        ("installables", &installables.join(" ")),
        ("nix_flags", &nix_flags.join(" ")),
        ("build_seconds", &seconds(limits.build).to_string()),
    ];
    compose(&parameters, &[COMMON, NIX, BUILD])
}

/// Brings one container to another generation.
pub(crate) fn switch(nonce: &str, switch: &Switch<'_>) -> String {
    let mode = match switch.mode {
        Mode::Deploy => "deploy",
        Mode::Stage => "stage",
        Mode::Rollback => "rollback",
    };
    let parameters = [
        ("nonce", nonce),
        ("container", switch.container.as_str()),
        ("caller", switch.caller),
        ("mode", mode),
        ("installable", switch.installable),
        ("nix_flags", &switch.nix_flags.join(" ")),
        (
            "connect_seconds",
            &seconds(switch.limits.connect).to_string(),
        ),
        ("build_seconds", &seconds(switch.limits.build).to_string()),
        (
            "activate_seconds",
            &seconds(switch.limits.activate).to_string(),
        ),
        (
            "restore_seconds",
            &seconds(switch.limits.job_of_restore()).to_string(),
        ),
        ("verify_seconds", &seconds(switch.limits.verify).to_string()),
    ];
    compose(&parameters, &[COMMON, NIX, SWITCH])
}

fn compose(parameters: &[(&str, &str)], parts: &[&str]) -> String {
    let mut text = String::new();
    for (name, value) in parameters {
        text.push_str(&format!("{name}={}\n", quote(value)));
    }
    parts.iter().for_each(|part| text.push_str(part));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    fn limits() -> Limits {
        let [evaluate, connect, copy, build, activate, verify] =
            [600, 30, 600, 3600, 180, 30].map(Duration::from_secs);
        Limits {
            evaluate,
            connect,
            copy,
            build,
            activate,
            verify,
        }
    }

    fn scripts() -> [String; 4] {
        let (web, api): (Container, Container) = ("web".parse().unwrap(), "api".parse().unwrap());
        let installables = [
            "/nix/store/a.drv^*".to_owned(),
            "/nix/store/b.drv^*".to_owned(),
        ];
        let limits = limits();
        let web_switch = Switch {
            container: &web,
            caller: "anna@laptop, process 812 there",
            mode: Mode::Deploy,
            installable: &installables[0],
            nix_flags: &["--verbose", "-L"],
            limits: &limits,
        };
        [
            check("N", &[&web, &api], false, &limits),
            recover("N", &["/nix/a".to_owned(), "/nix/b".to_owned()], &limits),
            build("N", &installables, &[], &limits),
            switch("N", &web_switch),
        ]
    }

    fn feed(program: &[&str], script: &str) -> (bool, String) {
        let mut child = Command::new(program[0])
            .args(&program[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(script.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    #[test]
    fn parameters_come_first() {
        let heads: Vec<_> = scripts()
            .iter()
            .map(|script| script.split("\n#").next().unwrap().to_owned())
            .collect();
        insta::assert_snapshot!(heads.join("\n\n"));
    }

    #[test]
    fn sh_reads_every_script() {
        for script in scripts() {
            let (fine, said) = feed(&["sh", "-n"], &script);
            assert!(fine, "{said}");
        }
    }

    #[test]
    fn shellcheck_has_nothing_to_say() {
        if Command::new("shellcheck")
            .arg("--version")
            .output()
            .is_err()
        {
            return;
        }
        for script in scripts() {
            // Not every script uses all that they share (SC2034, SC2317).
            let (fine, said) = feed(
                &["shellcheck", "--shell=sh", "--exclude=SC2034,SC2317", "-"],
                &script,
            );
            assert!(fine, "{said}");
        }
    }

    #[test]
    fn a_parameter_can_not_become_code() {
        let evil = "'; echo injected; '$(echo injected)`echo injected`";
        let text = format!(
            "{}printf '%s' \"$nonce\"\n",
            compose(&[("nonce", evil)], &[])
        );
        let (fine, said) = feed(&["sh"], &text);
        assert!(fine);
        assert_eq!(said, evil);
    }
}
