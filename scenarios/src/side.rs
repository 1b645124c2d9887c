//! One side of a comparison, as the command line gives it: `VAR=VALUE`, once per variable.

use camino::Utf8Path;
use spawnlab::run::stage::{choice::ImageOptions, declarations::Declarations, flake};

use crate::firewall::Firewall;

/// The variables that there are.
pub const VARIABLES: &str = "\
Variables (those that a side does not name have their defaults):
  firewall=off                  no firewall of the lab's on the host [default]
  firewall=VARIANT              rules as NixOS has them, on iptables
  firewall=nftables:VARIANT     the same on nftables (firewall=iptables:VARIANT is the default said aloud)
    nixos                       as NixOS is: DHCP requests of containers are refused
    nixpkgs-498177              with the rules of NixOS/nixpkgs#498177; it has none for nftables
    nixpkgs-498177-nft          nftables only: our counterpart of that change, and not a part of it
    workaround                  with ve-+ in networking.firewall.interfaces; nftables refuses to load it
    dhcp-from-anywhere          DHCP open to all networks: a change that opens too much
    VARIANT+SWITCH=VALUE...     with options of NixOS' firewall, such as nixos+rpfilter=loose
      rpfilter=strict|loose|off checkReversePath [default: strict]
      forward=off|on|containers filterForward, on nftables only [default: off; +forward means on];
                                containers: with an extraForwardRules that lets them out
  tool=PATH                     the deploy tool under test
  image=IMAGE                   a recipe's name or file, an image's folder, or a flake reference
  guest=SUITE                   the Debian suite that guests are made of, such as trixie
  host=FILE.nix                 container declarations in place of the lab's, ./lab-containers.nix
  nixpkgs=PATH[+FILE.patch]...  of image=nixos: the tree of nixpkgs whose modules make the host, with patches;
                                such hosts have no firewall rule of the lab's
  nixpkgs=FLAKEREF              the same, or what the input nixpkgs of image=FLAKEREF is to be; takes a Nix";

/// One side of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Side {
    /// The variables as they were given.
    pub variables: Vec<String>,
    /// Whether the firewall is among them, and which it is.
    pub firewall: Option<Option<Firewall>>,
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

impl Side {
    /// Reads `variables`; `image` is that of sides that name none.
    ///
    /// # Errors
    /// A message for the user: what is wrong with which of them.
    pub fn read(variables: &[String], image: Option<&str>) -> Result<Self, String> {
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
                "firewall" if side.firewall.is_some() => return Err(twice()),
                "firewall" => {
                    let read = Firewall::read(value).map_err(|why| format!("{given}: {why}"))?;
                    side.firewall = Some(read);
                }
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
                    return Err(format!(
                        "there is no variable {name:?}; there are firewall, tool, image, guest, host and nixpkgs"
                    ));
                }
            }
        }
        side.image = side.image.or_else(|| image.map(str::to_owned));
        side.check(flake::nix_is_there())?;
        Ok(side)
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

fn put(place: &mut Option<String>, value: &str) -> Option<()> {
    place.replace(value.to_owned()).is_none().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::{SWITCHES, VARIANTS};

    fn read(variables: &[&str]) -> Result<Side, String> {
        let variables: Vec<String> = variables.iter().map(|one| (*one).to_owned()).collect();
        Side::read(&variables, None)
    }

    #[test]
    fn a_side_is_a_set_of_variables() {
        let side = read(&["tool=/opt/deploy=new", "firewall=off", "guest=sid"]).expect("read");
        assert_eq!(side.tool.as_deref(), Some("/opt/deploy=new"));
        assert_eq!(side.firewall, Some(None));
        assert_eq!(side.image, None);
        assert_eq!(side.guest.as_deref(), Some("sid"));
    }

    #[rstest::rstest]
    #[case(&["firewall"], "VAR=VALUE")]
    #[case(&["firewall=nixos", "firewall=off"], "twice")]
    #[case(&["tool=a", "tool=b"], "twice")]
    #[case(&["firewall=nope"], "firewall=nope: ")]
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
        let side = Side {
            image: Some(".#host-image".into()),
            nixpkgs: Some("/src/nixpkgs".into()),
            ..Side::default()
        };
        assert_eq!(side.check(true), Ok(()));
        let error = side.check(false).expect_err("refused");
        assert!(error.contains("there is no command nix here"), "{error}");
    }

    #[test]
    fn the_help_names_every_variant_and_switch() {
        for variant in &VARIANTS {
            assert!(VARIABLES.contains(variant.name), "{}", variant.name);
        }
        for switch in &SWITCHES {
            let form = format!("{}={}", switch.name, switch.values.join("|"));
            assert!(VARIABLES.contains(&form), "{form}");
        }
    }
}
