//! What NixOS hosts are made of, on the command line and in the environment.

use camino::Utf8PathBuf;
use clap::Args;
use spawnlab::run::target::choice::ImageOptions;

use crate::output::error::CliError;

/// As `--nixpkgs`.
const NIXPKGS: &str = "SPAWNLAB_NIXPKGS";
/// As `--host-module`, once for each, with colons between.
const HOST_MODULES: &str = "SPAWNLAB_HOST_MODULES";
/// As `--switch`.
const SWITCH: &str = "SPAWNLAB_SWITCH";

/// What NixOS hosts are made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct NixosArgs {
    /// For --image nixos: PATH or FLAKEREF[+FILE.patch]
    ///
    /// The nixpkgs that makes its hosts. Its modules are used as they are; the programs are Debian's. Of a git work tree, what git ignores is left out.
    #[arg(long, value_name = "TREE")]
    pub nixpkgs: Option<String>,
    /// For --image nixos: a module more; once for each
    ///
    /// It is copied with all that lies beside it.
    #[arg(long = "host-module", value_name = "FILE", hide_short_help = true)]
    pub host_modules: Vec<Utf8PathBuf>,
    /// For --image nixos: nixpkgs' own switch-to-configuration, built
    ///
    /// It switches hosts and guests instead of a program of the lab's; docs/nixos.md says how to build one.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub switch: Option<Utf8PathBuf>,
}

impl NixosArgs {
    /// The same with what the environment says where the command line is silent, if `image` takes a nixpkgs at all: on
    /// others the variables mean nothing.
    #[must_use]
    pub fn with_environment(&self, image: Option<&str>) -> Self {
        self.with(image, |name| {
            std::env::var(name).ok().filter(|value| !value.is_empty())
        })
    }

    fn with(&self, image: Option<&str>, variable: impl Fn(&str) -> Option<String>) -> Self {
        let mut args = self.clone();
        if !args.options(image).takes_nixpkgs() {
            return args;
        }
        if args.nixpkgs.is_none() {
            args.nixpkgs = variable(NIXPKGS);
        }
        if args.host_modules.is_empty() {
            let files = variable(HOST_MODULES).unwrap_or_default();
            let files = files.split(':').filter(|file| !file.is_empty());
            args.host_modules = files.map(Utf8PathBuf::from).collect();
        }
        if args.switch.is_none() {
            args.switch = variable(SWITCH).map(Utf8PathBuf::from);
        }
        args
    }

    /// What hosts of `image` are made of, with these.
    #[must_use]
    pub fn options(&self, image: Option<&str>) -> ImageOptions {
        ImageOptions {
            image: image.map(str::to_owned),
            nixpkgs: self.nixpkgs.clone(),
            host_modules: self.host_modules.clone(),
            switch: self.switch.clone(),
            own_firewall: false,
        }
    }

    /// The same as words of a command line.
    #[must_use]
    pub fn words(&self) -> Vec<(&'static str, String)> {
        let nixpkgs = self
            .nixpkgs
            .iter()
            .map(|nixpkgs| ("--nixpkgs", nixpkgs.clone()));
        let modules = self.host_modules.iter();
        let modules = modules.map(|file| ("--host-module", file.to_string()));
        let switch = self
            .switch
            .iter()
            .map(|file| ("--switch", file.to_string()));
        nixpkgs.chain(modules).chain(switch).collect()
    }
}

/// What can be known to be wrong with `options` before anything is written or started.
///
/// # Errors
/// The options do not go together, or what they name is not there.
pub(crate) fn check(options: &ImageOptions) -> Result<(), CliError> {
    match options.check() {
        Err(why @ spawnlab::Error::Given(_)) => Err(CliError::usage("image", why)
            .hint("vm-images/README.md says what NixOS hosts are made of")),
        // A recipe that is not there is reported where images are.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str) -> Option<String> {
        match name {
            NIXPKGS => Some("/src/nixpkgs".to_owned()),
            HOST_MODULES => Some("a.nix::b.nix".to_owned()),
            SWITCH => Some("/bin/switch".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn the_environment_speaks_of_nixos_images_where_the_command_line_does_not() {
        let silent = NixosArgs::default();
        assert_eq!(silent.with(None, variable), silent);
        assert_eq!(silent.with(Some(".#host-image"), variable), silent);
        let nixos = silent.with(Some("nixos"), variable);
        assert_eq!(nixos.nixpkgs.as_deref(), Some("/src/nixpkgs"));
        assert_eq!(nixos.host_modules, ["a.nix", "b.nix"]);
        assert_eq!(nixos.switch.as_deref(), Some("/bin/switch".into()));
        let said = NixosArgs {
            nixpkgs: Some("/other".to_owned()),
            host_modules: vec!["c.nix".into()],
            switch: Some("d".into()),
        };
        assert_eq!(said.with(Some("nixos"), variable), said);
        let words = said.words();
        assert_eq!(
            words,
            [
                ("--nixpkgs", "/other".to_owned()),
                ("--host-module", "c.nix".to_owned()),
                ("--switch", "d".to_owned())
            ]
        );
    }
}
