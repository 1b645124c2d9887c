//! Tools with a command line of their own: what makes one of them a tool of the contract, on hosts of the lab.

use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    Guarantee, Scenario,
    fixture::{Fixture, PROVISION},
    tool,
};
use crate::{image::build::packages::version_on_host, util::error::Result};

/// Where provisioning finds the tool's own files, below `/lab`.
pub const SUBJECT: &str = "subject";
/// Where the lab's own provisioning is beside the adapter's.
pub const OWN_PROVISION: &str = "lab-provision";

/// What the lab brings for a tool that is called in another way than the contract has it. The tool itself is the user's.
#[derive(Debug)]
pub struct Adapter {
    /// Its name, which the user puts before the path of a checkout.
    pub name: &'static str,
    /// Where a checkout comes from.
    pub source: &'static str,
    /// A folder of the checkout that holds all that hosts need of it.
    pub code: &'static str,
    /// The program that the lab calls as the contract says.
    pub deploy: &'static [u8],
    /// Files of the lab disk, some of them in place of the lab's: what provisions hosts, and what declares containers.
    /// The lab's own provisioning is then [`OWN_PROVISION`].
    pub files: &'static [(&'static str, &'static [u8])],
    /// What the tool promises.
    pub promises: &'static [Guarantee],
    /// Debian packages that hosts must have, and an image that has them.
    pub packages: (&'static [&'static str], &'static str),
    /// Names of scenarios, or beginnings of such names, and why their claims are none about this tool.
    pub not_applicable: &'static [(&'static str, &'static str)],
}

/// A checkout of the user's, with the adapter that is for it.
#[derive(Debug, Clone)]
pub struct Adapted {
    /// The adapter.
    pub adapter: &'static Adapter,
    /// The checkout, absolute.
    pub checkout: Utf8PathBuf,
}

/// A deploy tool that the user names, found to be there.
#[derive(Debug, Clone)]
pub enum GivenTool {
    /// A program of the contract: absolute, an executable file.
    Program(Utf8PathBuf),
    /// A checkout with an adapter.
    Adapted(Adapted),
}

impl GivenTool {
    /// Reads `text`: the path of a program, or `NAME=PATH` with the name of one of `adapters`.
    ///
    /// # Errors
    /// A message for the user: it is not there, can't be executed, or is no checkout of that tool.
    pub fn read(
        text: &Utf8Path,
        adapters: &[&'static Adapter],
    ) -> std::result::Result<Self, String> {
        let words = text.as_str();
        if let Some(adapter) = adapters.iter().find(|one| one.name == words) {
            return Err(format!(
                "it takes the path of a checkout of {}: {words}=PATH",
                adapter.source
            ));
        }
        let Some((name, checkout)) = named(words) else {
            return tool::checked(text).map(Self::Program);
        };
        let Some(adapter) = adapters.iter().find(|one| one.name == name) else {
            // A file may be called like that.
            if text.exists() {
                return tool::checked(text).map(Self::Program);
            }
            let known: Vec<_> = adapters.iter().map(|one| one.name).collect();
            return Err(match known.as_slice() {
                [] => format!("there is no adapter {name:?}: the suite has none"),
                known => format!(
                    "there is no adapter {name:?}; there are {}",
                    known.join(", ")
                ),
            });
        };
        let code = Utf8Path::new(checkout).join(adapter.code);
        if !code.is_dir() {
            return Err(format!(
                "there is no {code}: {checkout:?} is no checkout of {}",
                adapter.source
            ));
        }
        let checkout = Utf8Path::new(checkout).canonicalize_utf8();
        Ok(Self::Adapted(Adapted {
            adapter,
            checkout: checkout.map_err(|error| error.to_string())?,
        }))
    }

    /// Why `scenario` is not run with this tool, if its claim is none about it.
    #[must_use]
    pub fn not_applicable(&self, scenario: &Scenario) -> Option<String> {
        let Self::Adapted(Adapted { adapter, .. }) = self else {
            return None;
        };
        let name = scenario.full_name();
        let mut all = adapter.not_applicable.iter();
        let (_, why) = all.find(|(beginning, _)| name.starts_with(beginning))?;
        Some(format!("{}: {why}", adapter.name))
    }
}

/// The name and the path of `NAME=PATH`; none for a path that has such a sign in it.
fn named(text: &str) -> Option<(&str, &str)> {
    let (name, path) = text.split_once('=')?;
    (!name.contains(['/', '.'])).then_some((name, path))
}

impl fmt::Display for GivenTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(path) => path.fmt(f),
            Self::Adapted(adapted) => adapted.fmt(f),
        }
    }
}

impl fmt::Display for Adapted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.adapter.name, self.checkout)
    }
}

impl Adapted {
    /// Puts all that hosts need of it into `fixture`.
    ///
    /// # Errors
    /// When the checkout can't be read, or is too much for the disk.
    pub fn put(&self, fixture: &mut Fixture) -> Result<()> {
        for file in &mut fixture.files {
            if file.path == PROVISION {
                file.path = OWN_PROVISION.into();
            }
        }
        for (path, content) in self.adapter.files {
            fixture.put_file(path, content.to_vec());
        }
        let code = self.adapter.code;
        fixture.put_folder(&format!("{SUBJECT}/{code}"), &self.checkout.join(code))
    }

    /// What hosts lack that have the packages of `table`, which is that of an image.
    #[must_use]
    pub fn lacks(&self, table: &str) -> Option<String> {
        let (needed, image) = self.adapter.packages;
        let has = |package: &str| version_on_host(table, package).is_some();
        let missing: Vec<_> = needed.iter().copied().filter(|one| !has(one)).collect();
        (!missing.is_empty()).then(|| {
            format!(
                "{} needs {} on the host, which this image has not: --image {image} has it",
                self.adapter.name,
                missing.join(" and ")
            )
        })
    }
}

#[cfg(test)]
#[path = "adapter_tests.rs"]
mod tests;
