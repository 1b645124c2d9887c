//! One side of a comparison, as the command line gives it: `VAR=VALUE`, once per variable.

use std::sync::Arc;

use camino::Utf8Path;
use spawnlab::run::{
    suite::Suite,
    target::{choice::ImageOptions, declarations::Declarations, flake},
    variable::Setting,
};

/// The variables that every suite has, for the help.
const VARIABLES: &str = "  tool=PATH                     the deploy tool under test
  image=IMAGE                   a recipe's name or file, an image's folder, or a flake reference
  guest=SUITE                   the Debian suite that guests are made of, such as trixie
  host=FILE.nix                 container declarations in place of the lab's, ./lab-containers.nix
  nixpkgs=PATH[+FILE.patch]...  of image=nixos: the tree of nixpkgs whose modules make the host, with patches;
                                such hosts have no firewall rule of the lab's
  nixpkgs=FLAKEREF              the same, or what the input nixpkgs of image=FLAKEREF is to be; takes a Nix";

/// The variables that sides of `suite` can have, for the help.
#[must_use]
pub fn help(suite: &Suite) -> String {
    let mut text = "Variables (those that a side does not name have their defaults):\n".to_owned();
    for variable in suite.variables() {
        text = text + variable.help() + "\n";
    }
    text + VARIABLES
}

/// One side of a comparison.
#[derive(Debug, Clone, Default)]
pub struct SideVariables {
    /// The variables as they were given.
    pub variables: Vec<String>,
    /// The variables of the suite that are among them, with their settings; none leaves hosts as they are.
    pub set: Vec<(&'static str, Option<Arc<dyn Setting>>)>,
    /// The deploy tool, as it was given.
    pub tool: Option<String>,
    /// The image.
    pub image: Option<String>,
    /// The container declarations.
    pub host: Option<Declarations>,
    /// What nixpkgs is to be.
    pub nixpkgs: Option<String>,
    /// The suite that guests are made of.
    pub guest: Option<String>,
}

impl SideVariables {
    /// Reads `variables`; `image` is that of sides that name none.
    ///
    /// # Errors
    /// A message for the user: what is wrong with which of them.
    pub fn read(suite: &Suite, variables: &[String], image: Option<&str>) -> Result<Self, String> {
        let mut side = Self {
            variables: variables.to_vec(),
            ..Self::default()
        };
        for given in variables {
            let (name, value) = given
                .split_once('=')
                .ok_or_else(|| format!("{given:?} is not of the form VAR=VALUE"))?;
            let twice = || format!("{name} is given twice for one side");
            match name {
                "tool" => put(&mut side.tool, value).ok_or_else(twice)?,
                "image" => put(&mut side.image, value).ok_or_else(twice)?,
                "guest" => put(&mut side.guest, value).ok_or_else(twice)?,
                "host" if side.host.is_some() => return Err(twice()),
                "host" => {
                    let read = Declarations::read(Utf8Path::new(value));
                    side.host = Some(read.map_err(|why| format!("{given}: {why}"))?);
                }
                "nixpkgs" => put(&mut side.nixpkgs, value).ok_or_else(twice)?,
                _ => {
                    let mut all = suite.variables().iter();
                    let found = all.find(|variable| variable.name() == name);
                    let variable = found.ok_or_else(|| unknown(suite, name))?;
                    let name = variable.name();
                    if side.set.iter().any(|(set, _)| *set == name) {
                        return Err(twice());
                    }
                    let read = variable
                        .read(value)
                        .map_err(|why| format!("{given}: {why}"))?;
                    side.set.push((name, read));
                }
            }
        }
        side.image = side.image.or_else(|| image.map(str::to_owned));
        side.check(flake::nix_is_there())?;
        Ok(side)
    }

    /// What its hosts are put under.
    #[must_use]
    pub fn settings(&self) -> Vec<Arc<dyn Setting>> {
        let settings = self.set.iter().filter_map(|(_, setting)| setting.clone());
        settings.collect()
    }

    /// What only shows when all variables are known.
    fn check(&self, nix_is_there: bool) -> Result<(), String> {
        let Some(nixpkgs) = &self.nixpkgs else {
            return Ok(());
        };
        let image = ImageOptions {
            image: self.image.clone(),
            nixpkgs: self.nixpkgs.clone(),
            ..ImageOptions::default()
        };
        image.check().map_err(|why| why.to_string())?;
        let of_a_flake = self.image.as_deref().is_some_and(flake::is_meant);
        if of_a_flake && !nix_is_there {
            return Err(format!(
                "nixpkgs={nixpkgs}: a NixOS image is built with Nix, and there is no command nix here; install Nix"
            ));
        }
        Ok(())
    }
}

fn unknown(suite: &Suite, name: &str) -> String {
    let variables = suite.variables().iter().map(|variable| variable.name());
    let names: Vec<&str> = variables
        .chain(["tool", "image", "guest", "host"])
        .collect();
    format!(
        "there is no variable {name:?}; there are {} and nixpkgs",
        names.join(", ")
    )
}

fn put(variable: &mut Option<String>, value: &str) -> Option<()> {
    variable.replace(value.to_owned()).is_none().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[&str]) -> Result<SideVariables, String> {
        let variables: Vec<String> = variables.iter().map(|one| (*one).to_owned()).collect();
        SideVariables::read(&Suite::of([]), &variables, None)
    }

    #[test]
    fn a_side_is_a_set_of_variables() {
        let side = read(&["tool=/opt/deploy=new", "guest=sid"]).expect("read");
        assert_eq!(side.tool.as_deref(), Some("/opt/deploy=new"));
        assert_eq!(side.image, None);
        assert_eq!(side.guest.as_deref(), Some("sid"));
    }

    #[rstest::rstest]
    #[case(&["tool"], "VAR=VALUE")]
    #[case(&["tool=a", "tool=b"], "twice")]
    #[case(&["host=/nowhere/host.nix"], "host=/nowhere/host.nix: ")]
    #[case(&["nixpkgs=github:NixOS/nixpkgs/pull/498177/head"], "debian-trixie: its hosts are no NixOS")]
    #[case(&["nixpkgs=/src/nixpkgs", "image=sid"], "debian-sid: its hosts are no NixOS")]
    #[case(&["nixpkgs=/nowhere/nixpkgs", "image=nixos"], "there is no such folder")]
    #[case(&["guest=sid", "guest=trixie"], "twice")]
    #[case(&["colour=red"], "there is no variable")]
    fn what_is_wrong_is_said(#[case] variables: &[&str], #[case] part: &str) {
        let error = read(variables).expect_err("refused");
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn another_nixpkgs_takes_a_nix() {
        let side = SideVariables {
            image: Some(".#host-image".into()),
            nixpkgs: Some("/src/nixpkgs".into()),
            ..SideVariables::default()
        };
        assert_eq!(side.check(true), Ok(()));
        let error = side.check(false).expect_err("refused");
        assert!(error.contains("there is no command nix here"), "{error}");
    }
}
