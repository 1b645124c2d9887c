//! What a host says while it switches a container.

use crate::failure::{Aftermath, Cause, Failure, StepFailure};
use crate::names::Container;
use crate::step::{Limits, Step};

/// How many lines of a step are kept for its error.
const LINES_KEPT: usize = 400;

/// How a container ended up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The guest runs the new generation, and said so itself.
    Deployed,
    /// It ran that closure already: nothing was done.
    Unchanged,
    /// The profile is set, the guest was not touched.
    Staged,
    /// The previous generation runs again.
    Restored,
    /// The container is stopped.
    Stopped,
    /// Going back failed.
    Unrestored,
}

/// The course of one switch, line by line.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// The step that the host is at.
    pub(crate) step: Option<Step>,
    /// The generation before, if there was one.
    pub(crate) was: Option<String>,
    pub(crate) closure: String,
    pub(crate) generation: String,
    /// The step that failed, with its status and what was said until then.
    failed: Option<(Step, i32, Vec<String>)>,
    /// Status of what touches no profile: a build of several systems, or the look at what a power cut left.
    pub(crate) ended: Option<i32>,
    pub(crate) outcome: Option<Outcome>,
    /// The host was told to switch to what it has built.
    pub(crate) told_to_switch: bool,
    /// The host has said all.
    pub(crate) complete: bool,
    said: Vec<String>,
}

/// What a line meant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// A step began.
    Begun(Step),
    /// The host has built what it switches to next, and waits to be told to.
    Built,
    /// Something for the record.
    Noted,
    /// Output of the step.
    Text,
}

impl Record {
    /// Takes one line.
    pub(crate) fn read(&mut self, nonce: &str, line: &str) -> Meaning {
        let Some(rest) = line
            .strip_prefix(nonce)
            .and_then(|rest| rest.strip_prefix(' '))
        else {
            return self.hear(line);
        };
        let (key, value) = rest.split_once(' ').unwrap_or((rest, ""));
        match key {
            "step" => {
                if let Some(step) = Step::from_name(value) {
                    self.step = Some(step);
                    self.said.clear();
                    return Meaning::Begun(step);
                }
            }
            "was" => self.was = Some(value.to_owned()).filter(|link| !link.is_empty()),
            "closure" => value.clone_into(&mut self.closure),
            "generation" => value.clone_into(&mut self.generation),
            "failed" => {
                let (step, status) = value.split_once(' ').unwrap_or((value, ""));
                if let Some(step) = Step::from_name(step) {
                    self.failed = Some((
                        step,
                        status.parse().unwrap_or(1),
                        std::mem::take(&mut self.said),
                    ));
                }
            }
            "ended" => self.ended = value.parse().ok(),
            "result" => self.outcome = outcome(value),
            "end" => self.complete = true,
            "built" => return Meaning::Built,
            _ => {}
        }
        Meaning::Noted
    }

    /// Keeps a line that is not part of the protocol.
    pub(crate) fn hear(&mut self, line: &str) -> Meaning {
        if self.said.len() == LINES_KEPT {
            self.said.remove(0);
        }
        self.said.push(line.to_owned());
        Meaning::Text
    }

    /// What was said in the present step.
    pub(crate) fn take_said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }

    /// The verdict, once the host has nothing more to say.
    pub(crate) fn conclude(
        &mut self,
        container: &Container,
        subject: &str,
        limits: &Limits,
    ) -> Result<Outcome, Failure> {
        match (self.complete, self.outcome, self.failed.take()) {
            (
                true,
                Some(outcome @ (Outcome::Deployed | Outcome::Unchanged | Outcome::Staged)),
                None,
            ) => Ok(outcome),
            (true, outcome, Some((step, status, said))) => {
                let cause = if status == 124 {
                    Cause::TimedOut(limits.of(step))
                } else {
                    Cause::Status(status)
                };
                let aftermath = self.aftermath(container, outcome);
                let subject = subject.to_owned();
                Err(Failure::Step(Box::new(StepFailure {
                    step,
                    subject,
                    cause,
                    said,
                    aftermath,
                })))
            }
            _ => Err(self.abandoned(container, subject, Cause::Lost)),
        }
    }

    /// The tool can't or won't listen any longer.
    pub(crate) fn abandoned(
        &mut self,
        container: &Container,
        subject: &str,
        cause: Cause,
    ) -> Failure {
        let step = self.step.unwrap_or(Step::Connect);
        let (subject, said) = (subject.to_owned(), self.take_said());
        let aftermath = self.aftermath_of_leaving(container);
        Failure::Step(Box::new(StepFailure {
            step,
            subject,
            cause,
            said,
            aftermath,
        }))
    }

    /// The host has begun to change the container, and will end that by itself.
    pub(crate) fn is_switching(&self) -> bool {
        let switching = [
            Step::Rollback,
            Step::Flush,
            Step::Activate,
            Step::Verify,
            Step::Restore,
        ];
        self.told_to_switch || self.step.is_some_and(|step| switching.contains(&step))
    }

    /// The tool leaves because of a signal.
    pub(crate) fn left(&self, signal: i32, container: &Container) -> Failure {
        let step = self.step.unwrap_or(Step::Connect);
        Failure::Interrupted {
            signal,
            step,
            aftermath: self.aftermath_of_leaving(container),
        }
    }

    /// What becomes of the container when nobody listens any more. A build is given up by the host then.
    fn aftermath_of_leaving(&self, container: &Container) -> Aftermath {
        if self.is_switching() || self.outcome.is_some() {
            Aftermath::OnItsOwn {
                unit: unit(container),
            }
        } else {
            Aftermath::Untouched
        }
    }

    fn aftermath(&self, container: &Container, outcome: Option<Outcome>) -> Aftermath {
        match outcome {
            None => Aftermath::Untouched,
            Some(Outcome::Restored) => Aftermath::Restored {
                generation: self
                    .was
                    .clone()
                    .unwrap_or_else(|| "the generation before".into()),
            },
            Some(Outcome::Stopped) => Aftermath::Stopped {
                generation: self.was.clone(),
            },
            Some(_) => Aftermath::Unrestored {
                unit: unit(container),
            },
        }
    }
}

/// The service that runs a container.
pub(crate) fn unit(container: &Container) -> String {
    format!("systemd-nspawn@{container}.service")
}

fn outcome(word: &str) -> Option<Outcome> {
    Some(match word {
        "deployed" => Outcome::Deployed,
        "unchanged" => Outcome::Unchanged,
        "staged" => Outcome::Staged,
        "restored" => Outcome::Restored,
        "stopped" => Outcome::Stopped,
        "unrestored" => Outcome::Unrestored,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn conclude(lines: &str) -> String {
        conclude_from(Record::default(), lines)
    }

    fn conclude_from(mut record: Record, lines: &str) -> String {
        let limits = [1, 2, 3, 4, 5, 6].map(Duration::from_secs);
        let [evaluate, connect, copy, build, activate, verify] = limits;
        let limits = Limits {
            evaluate,
            connect,
            copy,
            build,
            activate,
            verify,
        };
        for line in lines.lines() {
            record.read("N", line.trim());
        }
        let web = "web".parse().unwrap();
        match record.conclude(&web, "container `web`", &limits) {
            Ok(outcome) => format!("{outcome:?}"),
            Err(failure) => format!("{failure}\nexit code {}", failure.exit_code()),
        }
    }

    #[test]
    fn success() {
        assert_eq!(
            conclude("N step build\nN step activate\nN step verify\nN result deployed\nN end"),
            "Deployed"
        );
        assert_eq!(
            conclude("N step build\nN result unchanged\nN end"),
            "Unchanged"
        );
    }

    #[test]
    fn success_needs_the_last_line() {
        insta::assert_snapshot!(conclude("N step activate\nN step verify\nN result deployed"), @r"
        step `verify` of container `web` ended without saying how it went: the connection was lost
        the host ends this by itself: it keeps the new generation if the guest runs it, and goes back if not
        next: systemctl status systemd-nspawn@web.service on the host
        exit code 4
        ");
        assert!(conclude("").contains("exit code 1"));
        assert!(conclude("N end").contains("the connection was lost"));
    }

    /// A connection can be lost at any moment; what the tool says of the host then has to be true.
    #[rstest::rstest]
    #[case::while_it_builds("N step build", false, "exit code 1")]
    #[case::before_it_was_told("N step build\nN built", false, "exit code 1")]
    #[case::after_it_was_told("N step build\nN built", true, "exit code 4")]
    #[case::it_gave_up("N step build\nN built\nN failed build 1\nN end", true, "exit code 1")]
    fn a_host_switches_when_it_was_told_to(
        #[case] lines: &str,
        #[case] told_to_switch: bool,
        #[case] end: &str,
    ) {
        let told = Record {
            told_to_switch,
            ..Record::default()
        };
        let concluded = conclude_from(told, lines);
        assert!(concluded.ends_with(end), "{concluded}");
    }

    #[test]
    fn a_failed_activation_shows_its_own_output_only() {
        insta::assert_snapshot!(conclude(
            "N was system-3-link
            N step build
            these 2 derivations will be built
            N step activate
            Job for systemd-nspawn@web.service failed.
            N failed activate 1
            N step restore
            more words
            N result restored
            N end"
        ), @r"
        step `activate` of container `web` failed with status 1
          | Job for systemd-nspawn@web.service failed.
        restored: profile and guest are back on system-3-link
        exit code 1
        ");
    }

    #[test]
    fn a_timeout_on_the_host_names_the_step_and_its_limit() {
        insta::assert_snapshot!(conclude("N was \nN step build\nN failed build 124\nN end"), @r"
        step `build` of container `web` timed out after 4s
        next: find out what it waited for, or give it more time with --build-timeout
        no profile and no container was changed by this step
        exit code 1
        ");
    }

    #[test]
    fn going_back_can_fail_too() {
        let end = conclude(
            "N step activate\nN failed activate 1\nN step restore\nN result unrestored\nN end",
        );
        assert!(
            end.contains("going back failed too") && end.contains("exit code 4"),
            "{end}"
        );
    }
}
