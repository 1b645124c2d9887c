//! The options of a run that is run again: what was given then, unless it is given now.

use clap::Parser;

use super::{Cli, Command, OnUnstable, RunArgs};
use crate::{
    lab::{before::EarlierRun, rerun},
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
        let then = read(before)?;
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
        if let (None, Some(promises)) = (&args.lab.promises, then.lab.promises) {
            said.taken
                .extend(["--promises".to_owned(), promises.listed()]);
            args.lab.promises = Some(promises);
        }
        if let (None, Some(OnUnstable::Fail)) = (args.unstable, then.unstable) {
            said.taken.extend(["--unstable", "fail"].map(str::to_owned));
            args.unstable = then.unstable;
        }
        if let (None, Some(accel)) = (args.lab.accel, then.lab.accel) {
            let name = accel.unusual().unwrap_or("auto");
            said.taken.extend(["--accel".to_owned(), name.to_owned()]);
            args.lab.accel = Some(accel);
        }
        Ok((args, said.lines()))
    }
}

/// The options of `before`, read as a command line.
fn read(before: &EarlierRun) -> Result<RunArgs, CliError> {
    let request = &before.request;
    let words = ["spawnlab", &request.command].map(str::to_owned);
    let words = words.iter().chain(&request.options);
    match Cli::try_parse_from(words).map(|cli| cli.command) {
        Ok(Command::Run(args) | Command::Prove(args)) => Ok(args),
        _ => {
            let options = rerun::joined(request.options.iter().map(String::as_str));
            let why = format!("its options are none that this command knows: {options}");
            Err(CliError::usage(format!("report {}", before.named), why)
                .hint("another spawnlab wrote it: name the scenarios and the options"))
        }
    }
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
        match (&now, then) {
            (None, Some(then)) => {
                self.taken.extend([name.to_owned(), then.to_string()]);
                *now = Some(then);
            }
            (Some(now), Some(then)) if *now != then => {
                let (now, then) = (now.to_string(), then.to_string());
                let now = rerun::joined([name, now.as_str()]);
                self.changed.push(format!("{now}, which was {then}"));
            }
            (Some(now), None) => {
                let now = now.to_string();
                let now = rerun::joined([name, now.as_str()]);
                self.changed.push(format!("{now}, which was not given"));
            }
            _ => {}
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
