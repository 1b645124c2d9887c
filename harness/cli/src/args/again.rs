//! The options of a run that is run again: what was given then, unless it is given now.

use clap::Parser;

use camino::Utf8Path;
use spawnlab::verdict::event::RunRequest;

use super::{AccelArg, Cli, Command, OnUnstable, Promises, RunArgs, qualify::QualifyArgs};
use crate::{
    lab::{before::EarlierRun, before_qualify::EarlierQualification, rerun},
    output::error::CliError,
};

impl RunArgs {
    /// These, with what `before` was run with where they are silent; and what there is to say of that, as
    /// lines behind a line's end.
    ///
    /// What images are made of goes together: who names another image takes nothing of the old one's.
    ///
    /// # Errors
    /// The options of `before` are none that this command knows.
    pub(crate) fn as_before(&self, before: &EarlierRun) -> Result<(Self, String), CliError> {
        let (Command::Run(then) | Command::Prove(then)) = read(&before.named, &before.request)?
        else {
            return Err(unknown(&before.named, &before.request));
        };
        let mut args = self.clone();
        let mut said = Said::default();
        let another_image = args.lab.image.is_some() && args.lab.image != then.lab.image;
        said.take("--image", &mut args.lab.image, then.lab.image);
        if !another_image {
            said.take(
                "--nixpkgs",
                &mut args.lab.nixos.nixpkgs,
                then.lab.nixos.nixpkgs,
            );
            said.take(
                "--switch",
                &mut args.lab.nixos.switch,
                then.lab.nixos.switch,
            );
            said.take("--guest", &mut args.lab.guest, then.lab.guest);
            if args.lab.nixos.host_modules.is_empty() {
                for module in &then.lab.nixos.host_modules {
                    said.taken
                        .extend(["--host-module".to_owned(), module.to_string()]);
                }
                args.lab.nixos.host_modules = then.lab.nixos.host_modules;
            }
        }
        said.take("--file", &mut args.source.file, then.source.file);
        said.take("--tool", &mut args.lab.tool, then.lab.tool);
        said.take("--known", &mut args.known, then.known);
        said.take("--repeat", &mut args.repeat, then.repeat);
        said.take("--loops", &mut args.iterations, then.iterations);
        said.take_promises(&mut args.lab.promises, then.lab.promises);
        if let (None, Some(OnUnstable::Fail)) = (args.unstable, then.unstable) {
            said.taken.extend(["--unstable", "fail"].map(str::to_owned));
            args.unstable = then.unstable;
        }
        said.take_accel(&mut args.lab.accel, then.lab.accel);
        Ok((args, said.lines()))
    }
}

impl QualifyArgs {
    /// These, with what `before` was run with where they are silent; and what there is to say of that, as
    /// lines behind a line's end.
    ///
    /// # Errors
    /// The options of `before` are none that this command knows.
    pub(crate) fn as_before(
        &self,
        before: &EarlierQualification,
    ) -> Result<(Self, String), CliError> {
        let Command::Qualify(then) = read(&before.named, &before.request)? else {
            return Err(unknown(&before.named, &before.request));
        };
        let mut args = self.clone();
        let mut said = Said::default();
        said.take_as(|matrix| vec![matrix], &mut args.matrix, then.matrix);
        let soak = |number| vec![format!("--soak={number}")];
        said.take_as(soak, &mut args.soak, then.soak);
        said.take_promises(&mut args.promises, then.promises);
        said.take_accel(&mut args.accel, then.accel);
        said.take("--known", &mut args.known, then.known);
        Ok((args, said.lines()))
    }
}

/// What `request`, that of the report `named`, asked for, read as a command line.
fn read(named: &Utf8Path, request: &RunRequest) -> Result<Command, CliError> {
    let words = ["spawnlab", &request.command].map(str::to_owned);
    let words = words.iter().chain(&request.options);
    let read = Cli::try_parse_from(words).map(|cli| cli.command);
    read.map_err(|_| unknown(named, request))
}

fn unknown(named: &Utf8Path, request: &RunRequest) -> CliError {
    let options = rerun::joined(request.options.iter().map(String::as_str));
    let why = format!("its options are none that this command knows: {options}");
    CliError::usage(format!("report {named}"), why)
        .hint("another spawnlab wrote it: name the scenarios and the options")
}

/// What is told of the options.
#[derive(Debug, Default)]
struct Said {
    /// Words of those that are as they were.
    taken: Vec<String>,
    /// Those that are not.
    changed: Vec<String>,
}

impl Said {
    fn take<T: ToString + PartialEq>(&mut self, name: &str, now: &mut Option<T>, then: Option<T>) {
        self.take_as(|value| vec![name.to_owned(), value], now, then);
    }

    /// The same for what `words` makes a part of a command line of.
    fn take_as<T: ToString + PartialEq>(
        &mut self,
        words: impl Fn(String) -> Vec<String>,
        now: &mut Option<T>,
        then: Option<T>,
    ) {
        let said = |now: &T| {
            let words = words(now.to_string());
            rerun::joined(words.iter().map(String::as_str))
        };
        match (&now, then) {
            (None, Some(then)) => {
                self.taken.extend(words(then.to_string()));
                *now = Some(then);
            }
            (Some(now), Some(then)) if *now != then => {
                let (now, then) = (said(now), then.to_string());
                self.changed.push(format!("{now}, which was {then}"));
            }
            (Some(now), None) => self
                .changed
                .push(format!("{}, which was not given", said(now))),
            _ => {}
        }
    }

    fn take_promises(&mut self, now: &mut Option<Promises>, then: Option<Promises>) {
        if let (None, Some(promises)) = (&now, then) {
            self.taken
                .extend(["--promises".to_owned(), promises.listed()]);
            *now = Some(promises);
        }
    }

    fn take_accel(&mut self, now: &mut Option<AccelArg>, then: Option<AccelArg>) {
        if let (None, Some(accel)) = (&now, then) {
            let name = accel.unusual().unwrap_or("auto");
            self.taken.extend(["--accel".to_owned(), name.to_owned()]);
            *now = Some(accel);
        }
    }

    fn lines(&self) -> String {
        let mut text = String::new();
        if !self.taken.is_empty() {
            let words = rerun::joined(self.taken.iter().map(String::as_str));
            text += &format!("\n  as then:  {words}");
        }
        for changed in &self.changed {
            text += &format!("\n  changed:  {changed}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &[&str]) -> RunArgs {
        let words = ["spawnlab", "run"].iter().chain(words);
        match Cli::try_parse_from(words).expect("sound").command {
            Command::Run(args) => args,
            other => panic!("{other:?}"),
        }
    }

    fn before(options: &[&str]) -> EarlierRun {
        EarlierRun::of("run", options, &["a::b"])
    }

    fn words(args: &RunArgs) -> String {
        let rerun = rerun::Rerun::new(&["spawnlab", "run"], &args.lab);
        rerun::joined(rerun.options().iter().map(String::as_str))
    }

    #[test]
    fn options_are_those_of_then_but_for_what_is_given() {
        let then = before(&[
            "--tool",
            "./a",
            "--promises",
            "idempotent",
            "--accel",
            "tcg",
            "--repeat",
            "3",
        ]);
        let (again, said) = args(&["--tool", "./b", "--loops", "2"])
            .as_before(&then)
            .expect("known options");
        assert_eq!(
            words(&again),
            "--tool ./b --promises idempotent --accel tcg"
        );
        let numbers = [again.repeat, again.iterations].map(|number| number.map(u32::from));
        assert_eq!(numbers, [Some(3), Some(2)]);
        assert_eq!(
            said,
            "\n  as then:  --repeat 3 --promises idempotent --accel tcg\
             \n  changed:  --tool ./b, which was ./a\
             \n  changed:  --loops 2, which was not given"
        );
    }

    #[test]
    fn another_image_comes_without_what_the_old_one_was_made_of() {
        let then = before(&[
            "--image",
            "nixos",
            "--nixpkgs",
            "../nixpkgs",
            "--guest",
            "sid",
        ]);
        let (again, _) = args(&["--image", "trixie"])
            .as_before(&then)
            .expect("known options");
        assert_eq!(words(&again), "--image trixie");
        let (again, _) = args(&[]).as_before(&then).expect("known options");
        assert_eq!(
            words(&again),
            "--image nixos --nixpkgs ../nixpkgs --guest sid"
        );
    }

    #[test]
    fn options_of_another_spawnlab_are_refused() {
        let error = args(&[])
            .as_before(&before(&["--moon", "full"]))
            .expect_err("unknown");
        assert!(error.why().contains("--moon full"), "{error}");
    }
}
