//! The command line.

use crate::names::{Container, Deployment, Machine, Target};
use crate::step::Limits;
use clap::Parser;
use std::time::Duration;

/// Evaluates NixOS containers of the flake in this folder, builds them on their host, and switches the running guests.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 120, args_override_self = true, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// Attribute of nixosConfigurations in the flake of the current folder
    machine: Machine,

    // As a comment for documentation the brackets would be a link.
    #[arg(help = "The host as ssh takes it: [user@]host")]
    target: Target,

    /// Name of the container on the host [default: the machine's name]
    container: Option<Container>,

    /// Deploy this machine too, in the same call and with one copy; may be given several times
    #[arg(long, value_name = "MACHINE[=CONTAINER]")]
    also: Vec<Deployment>,

    /// Show the commands that are run, and all that Nix says
    #[arg(short, long)]
    verbose: bool,

    /// Evaluate and look at the host, then say what would be done; changes nothing there
    #[arg(long)]
    dry_run: bool,

    /// Build and set the profile only: the container runs it from its next start or reload
    #[arg(long, conflicts_with = "rollback")]
    no_activate: bool,

    /// Go to the generation before the current one; evaluates, copies and builds nothing
    #[arg(long)]
    rollback: bool,

    /// Limit for evaluating one machine here
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = humantime::parse_duration)]
    evaluate_timeout: Duration,

    /// Limit for connecting to the host and reading what is declared there
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    connect_timeout: Duration,

    /// Limit for copying the derivations to the host
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = humantime::parse_duration)]
    copy_timeout: Duration,

    /// Limit for building on the host, and for each wait for its disk
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
    build_timeout: Duration,

    /// Limit for reloading or starting one container
    #[arg(long, value_name = "DURATION", default_value = "3m", value_parser = humantime::parse_duration)]
    activate_timeout: Duration,

    /// Limit for asking a guest which closure it runs
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    verify_timeout: Duration,
}

const EXIT_CODES: &str = "\
Durations are written as 90s, 10m or 1h30m.

Exit codes:
  0    every container runs what was asked for
  1    a step failed, and is named; the container in question is as it was before
  2    the command line is wrong
  3    refused by the host's state (for example: container not declared), before anything was copied
  4    a step failed and the container could not be brought back, or the connection broke while it was switched
  129, 130, 143   stopped by SIGHUP, SIGINT, SIGTERM";

/// What to do with each container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Build, activate, check.
    Deploy,
    /// Build and set the profile.
    Stage,
    /// Go one generation back, activate, check.
    Rollback,
}

/// The command line, understood.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) target: Target,
    pub(crate) deployments: Vec<Deployment>,
    pub(crate) mode: Mode,
    pub(crate) dry_run: bool,
    pub(crate) verbose: bool,
    pub(crate) limits: Limits,
}

impl Cli {
    /// Puts the positional machine and the further ones into one list, in the order given.
    pub(crate) fn into_request(self) -> Result<Request, String> {
        let container = match self.container {
            Some(container) => container,
            None => self.machine.as_str().parse()?,
        };
        let mut deployments = vec![Deployment {
            machine: self.machine,
            container,
        }];
        for further in self.also {
            if deployments
                .iter()
                .any(|known| known.container == further.container)
            {
                return Err(format!(
                    "container `{}` is named twice: one call deploys it once",
                    further.container
                ));
            }
            deployments.push(further);
        }
        let mode = match (self.rollback, self.no_activate) {
            (true, _) => Mode::Rollback,
            (false, true) => Mode::Stage,
            (false, false) => Mode::Deploy,
        };
        let limits = Limits {
            evaluate: self.evaluate_timeout,
            connect: self.connect_timeout,
            copy: self.copy_timeout,
            build: self.build_timeout,
            activate: self.activate_timeout,
            verify: self.verify_timeout,
        };
        let (target, dry_run, verbose) = (self.target, self.dry_run, self.verbose);
        Ok(Request {
            target,
            deployments,
            mode,
            dry_run,
            verbose,
            limits,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn request(arguments: &[&str]) -> Result<Request, String> {
        let arguments = std::iter::once(&"nixos-deploy-container").chain(arguments);
        Cli::try_parse_from(arguments)
            .map_err(|error| error.to_string())?
            .into_request()
    }

    #[test]
    fn the_form_of_the_public_script() {
        let request = request(&["-v", "web", "root@host", "web-prod"]).unwrap();
        assert!(request.verbose && !request.dry_run);
        assert_eq!(request.mode, Mode::Deploy);
        assert_eq!(request.deployments, ["web=web-prod".parse().unwrap()]);
    }

    #[test]
    fn several_containers() {
        let request = request(&["web", "root@host", "--also", "api", "--also=web=web-2"]).unwrap();
        let expected: Vec<Deployment> = ["web", "api", "web=web-2"]
            .map(|text| text.parse().unwrap())
            .into();
        assert_eq!(request.deployments, expected);
    }

    #[test]
    fn one_container_twice_is_refused() {
        let error = request(&["web", "root@host", "--also", "api=web"]).unwrap_err();
        insta::assert_snapshot!(error, @"container `web` is named twice: one call deploys it once");
    }

    #[test]
    fn a_machine_whose_name_no_container_can_have_needs_a_third_argument() {
        assert!(
            request(&["my_web", "root@host"])
                .unwrap_err()
                .contains("my_web")
        );
        assert!(request(&["my_web", "root@host", "my-web"]).is_ok());
    }

    #[test]
    fn usage_errors_exit_with_2() {
        for wrong in [
            &["web"][..],
            &["web", "a b"],
            &["web", "root@host", "..", "x"],
            &["web", "h", "--rollback", "--no-activate"],
        ] {
            let arguments = std::iter::once(&"nixos-deploy-container").chain(wrong);
            assert_eq!(
                Cli::try_parse_from(arguments).unwrap_err().exit_code(),
                2,
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn help() {
        Cli::command().debug_assert();
        insta::assert_snapshot!(Cli::command().term_width(100).render_long_help());
    }
}
