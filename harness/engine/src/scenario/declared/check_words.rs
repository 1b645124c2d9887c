//! What is wrong with what stands beside a verb: who does it, how a deploy is called, what is put into a file.

use std::collections::BTreeMap;

use toml::Spanned;

use super::{
    check::{Checker, Result},
    check_machines::container_host,
    data::{DeclaredMachine, Located},
    raw::RawStep,
    step::{Content, Do},
};

/// The largest text of a file that a step puts on a machine, in bytes: it goes there in a command.
pub(super) const LARGEST: usize = 64 << 10;
/// The mode of a file that is put on a machine.
const MODE: &str = "644";

impl Checker<'_> {
    /// A name that useradd takes.
    pub(super) fn user(&self, given: &Spanned<String>) -> Result<String> {
        let name = given.get_ref();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
        let begins = |c: char| c.is_ascii_lowercase() || c == '_';
        if !name.starts_with(begins) || name.len() > 32 || !name.chars().all(plain) {
            return self.wrong(
                given.span(),
                format!("{name:?} is no name of a user"),
                "a user's name has small letters, digits, `_` and `-`, 32 at most",
            );
        }
        Ok(name.clone())
    }

    pub(super) fn environment(
        &self,
        given: &BTreeMap<Spanned<String>, Spanned<String>>,
    ) -> Result<Vec<(String, String)>> {
        let mut all = vec![];
        for (name, value) in given {
            let text = name.get_ref();
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let digit = text.starts_with(|c: char| c.is_ascii_digit());
            if text.is_empty() || digit || !text.chars().all(plain) {
                return self.wrong(
                    name.span(),
                    format!("{text:?} is no name of a variable"),
                    "a shell takes letters, digits and `_`",
                );
            }
            all.push((text.clone(), value.get_ref().clone()));
        }
        Ok(all)
    }

    pub(super) fn deploy(
        &self,
        raw: &RawStep,
        machine: &Spanned<String>,
        fails: bool,
        machines: &[DeclaredMachine],
    ) -> Result<Do> {
        let mut flags = vec![];
        for flag in raw.flags.iter().flat_map(|flags| flags.get_ref()) {
            if flags.is_empty() && !flag.get_ref().starts_with('-') {
                return self.wrong(
                    flag.span(),
                    format!("{:?} is no flag", flag.get_ref()),
                    "the tool would take it for the machine; a flag begins with `-`",
                );
            }
            flags.push(flag.get_ref().clone());
        }
        if let Some(to) = &raw.to {
            let text = to.get_ref();
            if text.is_empty() || text.starts_with('-') || text.contains(char::is_whitespace) {
                return self.wrong(
                    to.span(),
                    format!("{text:?} is no ssh destination"),
                    "write it as USER@HOST",
                );
            }
        }
        let flake = raw.flake.as_ref().map(|flake| self.absolute(flake));
        // Whoever deploys from a laptop does not mean the laptop.
        let host = container_host(machines);
        let away = raw.on.as_ref().filter(|on| on.get_ref() != host);
        let away = away.map(|_| format!("root@{host}"));
        Ok(Do::Deploy {
            container: self.name(raw.into.as_ref().unwrap_or(machine), "container")?,
            machine: self.name(machine, "machine")?,
            flags,
            target: raw.to.as_ref().map(|to| to.get_ref().clone()).or(away),
            flake: flake.transpose()?,
            fails,
        })
    }

    pub(super) fn put_file(&self, raw: &RawStep, path: &Spanned<String>) -> Result<Do> {
        let content = match (&raw.text, &raw.from) {
            (Some(text), None) if text.get_ref().len() <= LARGEST => {
                Content::Bytes(text.get_ref().clone().into_bytes())
            }
            (Some(text), None) => {
                return self.wrong(
                    text.span(),
                    "the text is too long for a step",
                    "64 KiB at most; what is larger belongs into the image or into a container",
                );
            }
            (None, Some(from)) => Content::From(Located {
                value: from.get_ref().clone().into(),
                location: from.span(),
            }),
            (None, None) => {
                return self.wrong(
                    path.span(),
                    "nothing is said of what is in the file",
                    "write text = \"...\", or from = \"FILE\" for one beside this file",
                );
            }
            (Some(_), Some(from)) => {
                return self.wrong(
                    from.span(),
                    "the file has a text already",
                    "write text or from, and not both",
                );
            }
        };
        let mode = raw.mode.as_ref();
        if let Some(mode) = mode {
            let octal = |c: char| ('0'..='7').contains(&c);
            let text = mode.get_ref();
            if !(3..=4).contains(&text.len()) || !text.chars().all(octal) {
                return self.wrong(
                    mode.span(),
                    format!("{text:?} is no mode"),
                    "write it as chmod takes it, such as \"600\"",
                );
            }
        }
        Ok(Do::PutFile {
            path: self.absolute(path)?,
            content,
            mode: mode.map_or(MODE, |mode| mode.get_ref()).to_owned(),
        })
    }

    fn absolute(&self, given: &Spanned<String>) -> Result<String> {
        let path = given.get_ref();
        if !path.starts_with('/') || path.ends_with('/') {
            return self.wrong(
                given.span(),
                format!("{path:?} is no absolute path"),
                "write the whole path on the machine, from / on",
            );
        }
        Ok(path.clone())
    }

    /// Whether what stands beside the verb belongs to it.
    pub(super) fn belongs(&self, raw: &RawStep, act: &Do) -> Result<()> {
        let span = |given: &Option<Spanned<String>>| given.as_ref().map(Spanned::span);
        let deploy = matches!(act, Do::Deploy { .. });
        let flags = raw.flags.as_ref().map(Spanned::span);
        let of_deploy = [span(&raw.into), span(&raw.to), span(&raw.flake), flags];
        if let (Some(location), false) = (of_deploy.into_iter().flatten().next(), deploy) {
            return self.wrong(
                location,
                "only a deploy takes this",
                "it belongs to deploy and deploy_fails; commands run in a container with `in =`",
            );
        }
        let put = matches!(act, Do::PutFile { .. });
        let of_file = [span(&raw.text), span(&raw.from), span(&raw.mode)];
        if let (Some(location), false) = (of_file.into_iter().flatten().next(), put) {
            return self.wrong(location, "only put_file takes this", "leave it out");
        }
        let runs = deploy
            || matches!(
                act,
                Do::Succeed(_)
                    | Do::Fail(_)
                    | Do::Execute(_)
                    | Do::WaitUntilSucceeds(_)
                    | Do::WaitUntilFails(_)
            );
        if let (Some(location), false) = (span(&raw.user), runs || put) {
            return self.wrong(
                location,
                "the lab asks this itself, as root",
                "a user runs scripts and deploys, and owns files",
            );
        }
        if let (Some((name, _)), false) = (raw.env.iter().next(), runs) {
            return self.wrong(
                name.span(),
                "no command runs in this step",
                "an environment is of scripts and deploys",
            );
        }
        Ok(())
    }
}
