//! What a file declares, as plain data.

use std::ops::Range;

use camino::Utf8PathBuf;

use super::step::DeclaredStep;
use crate::scenario::{Base, Guarantee};

/// A whole file that was found sound.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct File {
    /// What the scenarios run on.
    pub target: DeclaredTarget,
    /// At least one.
    pub scenarios: Vec<Declared>,
}

/// A value, and where in the file it stands: some can only be judged by whoever uses them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Its bytes in the file.
    pub location: Range<usize>,
}

/// What the scenarios run on; what is left out has the lab's defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeclaredTarget {
    /// A recipe's name or file, an image's folder, or a flake reference.
    pub image: Option<Located<String>>,
    /// The nixpkgs of a NixOS image, relative to the file's folder.
    pub nixpkgs: Option<Located<String>>,
    /// Modules for a NixOS image, relative to the file's folder.
    pub host_modules: Vec<Utf8PathBuf>,
    /// The Debian suite that guests are made of.
    pub guest: Option<Located<String>>,
    /// The deploy tool under test, relative to the file's folder.
    pub tool: Option<Located<Utf8PathBuf>>,
    /// What the tool promises.
    pub promises: Option<Vec<Guarantee>>,
    /// The firewall that hosts are put under.
    pub firewall: Option<Located<String>>,
    /// The folder of the flake that is deployed, relative to the file's.
    pub flake: Option<Located<Utf8PathBuf>>,
    /// The file with the containers that hosts declare, relative to this file's folder.
    pub containers: Option<Located<Utf8PathBuf>>,
    /// Container and machine of each deploy into the layer `deployed`, in the file's order.
    pub deploy: Option<Vec<(String, String)>>,
}

/// One scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    /// The part of its name before `::`.
    pub area: String,
    /// The part behind it.
    pub name: String,
    /// The sentence that it proves.
    pub claim: String,
    /// What it starts with: one machine that is called `host`, or several.
    pub machines: Vec<DeclaredMachine>,
    /// What the tool has to promise.
    pub needs: Vec<Guarantee>,
    /// Its deadline in seconds on a machine with KVM.
    pub limit: u64,
    /// What it does, in order; at least one step asserts something.
    pub steps: Vec<DeclaredStep>,
    /// What must turn it red.
    pub saboteurs: Vec<Sabotage>,
}

/// A machine of a lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredMachine {
    /// Its name, and its host name where there are several.
    pub name: String,
    /// What it starts from.
    pub base: Base,
}

impl Declared {
    /// `area::name`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}::{}", self.area, self.name)
    }
}

/// A change to a machine that must turn its scenario red.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sabotage {
    /// Its name.
    pub name: String,
    /// The machine that it is done on.
    pub on: String,
    /// Whether that machine is cut off the network.
    pub cut: bool,
    /// Run as root on the machine before the scenario.
    pub script: Option<String>,
    /// The step that must fail, by what it is called.
    pub fails: String,
    /// A scenario of the same file that must pass nevertheless.
    pub spares: String,
}
