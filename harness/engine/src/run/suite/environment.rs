//! The options of the lab, for tests: they have no command line for them.

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    run::target::choice::ImageOptions,
    scenario::{Guarantee, tool},
    vm::qemu::accel::Choice,
};

/// Names the nixpkgs of NixOS hosts.
pub(crate) const NIXPKGS: &str = "SPAWNLAB_NIXPKGS";
/// Names modules for them, with colons between.
pub(crate) const HOST_MODULES: &str = "SPAWNLAB_HOST_MODULES";
pub(crate) const SWITCH: &str = "SPAWNLAB_SWITCH";

/// What the environment says; what it leaves out has the suite's defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LabEnvironment {
    /// Absolute, an executable file.
    pub(super) tool: Option<Utf8PathBuf>,
    pub(super) promises: Option<Vec<Guarantee>>,
    pub(super) image: ImageOptions,
    pub(super) guest: Option<String>,
    pub(super) accel: Choice,
    pub(super) keep: bool,
    pub(super) report: Option<Utf8PathBuf>,
    /// The variables that say so, to say it again.
    given: Vec<(&'static str, String)>,
}

impl LabEnvironment {
    /// Reads it, with `variable` to look one up. One that is empty is not there.
    ///
    /// # Errors
    /// A message for the user: which variable is wrong, and how.
    pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let mut given = vec![];
        let mut get = |name: &'static str| {
            let value = variable(name).filter(|value| !value.is_empty())?;
            given.push((name, value.clone()));
            Some(value)
        };
        let wrong = |name: &str, why: String| format!("{name}: {why}");
        let tool = get("SPAWNLAB_TOOL")
            .map(|path| tool::checked(Utf8Path::new(&path)))
            .transpose()
            .map_err(|why| wrong("SPAWNLAB_TOOL", why))?;
        let promises = get("SPAWNLAB_PROMISES")
            .map(|names| Guarantee::read(&names))
            .transpose()
            .map_err(|why| wrong("SPAWNLAB_PROMISES", why))?;
        let accel = match get("SPAWNLAB_ACCEL").as_deref() {
            None | Some("auto") => Choice::Auto,
            Some("kvm") => Choice::Kvm,
            Some("tcg") => Choice::Tcg,
            Some(other) => {
                let why = format!("{other:?} is none of auto, kvm, tcg");
                return Err(wrong("SPAWNLAB_ACCEL", why));
            }
        };
        let guest = get("SPAWNLAB_GUEST");
        let mut image = ImageOptions {
            image: get("SPAWNLAB_IMAGE"),
            ..ImageOptions::default()
        };
        // On other images they mean nothing.
        if image.takes_nixpkgs() {
            image.nixpkgs = get(NIXPKGS);
            image.switch = get(SWITCH).map(Utf8PathBuf::from);
            image.host_modules = get(HOST_MODULES)
                .map(|files| files.split(':').map(Utf8PathBuf::from).collect())
                .unwrap_or_default();
        }
        image
            .check()
            .map_err(|why| wrong("SPAWNLAB_IMAGE", why.to_string()))?;
        let keep = match variable("SPAWNLAB_KEEP").as_deref() {
            None | Some("" | "0" | "false" | "no" | "off") => false,
            Some(_) => true,
        };
        Ok(Self {
            tool,
            promises,
            image,
            guest,
            accel,
            keep,
            report: variable("SPAWNLAB_REPORT")
                .filter(|value| !value.is_empty())
                .map(Utf8PathBuf::from),
            given,
        })
    }

    /// The command that runs the test `name` of the target `target` in `package` again, just as it was run.
    pub(super) fn again(&self, package: &str, target: &str, name: &str) -> String {
        let mut words: Vec<String> = self
            .given
            .iter()
            .map(|(name, value)| format!("{name}={}", quoted(value)))
            .collect();
        let command = [
            "cargo", "test", "-p", package, "--test", target, "--", "--exact",
        ];
        words.extend(command.map(str::to_owned));
        // A saboteur's is an ignored test.
        if name.contains('+') {
            words.push("--ignored".into());
        }
        words.push(name.to_owned());
        words.join(" ")
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:=,@%".contains(c);
    if word.chars().all(plain) {
        word.to_owned()
    } else {
        crate::vm::container::quote(word)
    }
}
