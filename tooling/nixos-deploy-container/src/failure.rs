//! What can end a deploy, in words, and as an exit code.

use crate::engine::Interrupted;
use crate::quote::quote;
use crate::step::Step;
use std::fmt;
use std::process::ExitStatus;
use std::time::Duration;

/// How many of a step's last lines an error repeats.
const LINES_SHOWN: usize = 30;

/// Why a deploy ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The host can't take this deploy; found out before anything was copied.
    #[error("{reason}\nnext: {next}")]
    Refused { reason: String, next: String },
    /// A step went wrong.
    #[error(transparent)]
    Step(Box<StepFailure>),
    /// A signal asked the tool to stop.
    #[error("interrupted by signal {signal} during step `{step}`\n{aftermath}")]
    Interrupted {
        signal: i32,
        step: Step,
        aftermath: Aftermath,
    },
}

/// A step that went wrong, with what it said.
#[derive(Debug, thiserror::Error)]
pub(crate) struct StepFailure {
    pub(crate) step: Step,
    /// What the step worked on: a machine, a container, a host.
    pub(crate) subject: String,
    pub(crate) cause: Cause,
    pub(crate) said: Vec<String>,
    pub(crate) aftermath: Aftermath,
}

/// How a step went wrong.
#[derive(Debug)]
pub(crate) enum Cause {
    /// Its program could not be started.
    NotStarted { program: String, reason: String },
    /// It ended with this status.
    Status(i32),
    /// A signal ended it.
    Killed,
    /// Its time was over.
    TimedOut(Duration),
    /// The connection ended before the host had said how the step went.
    Lost,
    /// It printed something else than expected.
    Unreadable(String),
}

/// What is true on the host after a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Aftermath {
    /// No profile and no container was changed.
    Untouched,
    /// Profile and guest are back on this generation.
    Restored { generation: String },
    /// The container is stopped, as it was before, or since there is no generation to go back to.
    Stopped { generation: Option<String> },
    /// Going back failed as well.
    Unrestored { unit: String },
    /// The host goes on by itself, and this tool will not learn how it ends.
    OnItsOwn { unit: String },
}

impl Failure {
    /// The documented exit code.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Refused { .. } => 3,
            Self::Step(failure) => match failure.aftermath {
                Aftermath::Untouched | Aftermath::Restored { .. } | Aftermath::Stopped { .. } => 1,
                Aftermath::Unrestored { .. } | Aftermath::OnItsOwn { .. } => 4,
            },
            Self::Interrupted { signal, .. } => u8::try_from(128 + signal).unwrap_or(1),
        }
    }

    /// Whether a step failed, and had said this.
    pub(crate) fn said(&self, words: &str) -> bool {
        matches!(self, Self::Step(failure) if failure.said.iter().any(|line| line.contains(words)))
    }

    /// A failure of a step that changed no profile and no container.
    pub(crate) fn early(
        step: Step,
        subject: impl Into<String>,
        cause: Cause,
        said: Vec<String>,
    ) -> Self {
        let subject = subject.into();
        Self::Step(Box::new(StepFailure {
            step,
            subject,
            cause,
            said,
            aftermath: Aftermath::Untouched,
        }))
    }

    /// A signal that came while no profile and no container was being changed.
    pub(crate) fn interrupted(Interrupted(signal): Interrupted, step: Step) -> Self {
        Self::Interrupted {
            signal,
            step,
            aftermath: Aftermath::Untouched,
        }
    }
}

impl From<ExitStatus> for Cause {
    fn from(status: ExitStatus) -> Self {
        status.code().map_or(Self::Killed, Self::Status)
    }
}

impl fmt::Display for StepFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "step `{}` of {} {}",
            self.step, self.subject, self.cause
        )?;
        let skipped = self.said.len().saturating_sub(LINES_SHOWN);
        if skipped > 0 {
            writeln!(formatter, "  | ({skipped} earlier lines are above)")?;
        }
        for line in &self.said[skipped..] {
            writeln!(formatter, "  | {line}")?;
        }
        if let Some(hint) = self.hint() {
            writeln!(formatter, "{hint}")?;
        }
        write!(formatter, "{}", self.aftermath)
    }
}

impl StepFailure {
    fn hint(&self) -> Option<String> {
        match (self.step, &self.cause) {
            (_, Cause::NotStarted { program, .. }) => {
                Some(format!("next: put `{program}` on the PATH"))
            }
            (Step::Connect, _) => Some(format!(
                "next: make `ssh -o BatchMode=yes {} true` work (key in the agent, host key known, host up)",
                self.subject
            )),
            (Step::Evaluate, Cause::Status(_)) => self.owner_hint(),
            (Step::Recover, Cause::Status(_)) => Some(
                "next: remove what is named as using it, or as root on the host: nix-store --verify --check-contents --repair"
                    .to_owned(),
            ),
            (_, Cause::TimedOut(_))
                if !matches!(self.step, Step::Restore | Step::Lock | Step::Rollback) =>
            {
                // These have the time of a build.
                let step = match self.step {
                    Step::Recover | Step::Flush => Step::Build,
                    other => other,
                };
                Some(format!(
                    "next: find out what it waited for, or give it more time with --{step}-timeout"
                ))
            }
            _ => None,
        }
    }
}

impl StepFailure {
    /// What helps where git, or Nix in its place, does not trust the owner of the flake's work tree.
    fn owner_hint(&self) -> Option<String> {
        const WORDS: [&str; 3] = [
            "is not owned by current user",
            "dubious ownership in repository",
            "unsafe repository",
        ];
        let distrusts = |line: &&String| WORDS.iter().any(|words| line.contains(words));
        let line = self.said.iter().find(distrusts)?;
        let folder = line.split('\'').nth(1).unwrap_or(".");
        Some(format!(
            "next: deploy as the user who owns the flake, or trust that user's files: \
             git config --global --add safe.directory {}",
            quote(folder)
        ))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted { program, reason } => {
                write!(formatter, "failed: can't start `{program}`: {reason}")
            }
            Self::Status(status) => write!(formatter, "failed with status {status}"),
            Self::Killed => formatter.write_str("was ended by a signal"),
            Self::TimedOut(limit) => write!(
                formatter,
                "timed out after {}",
                humantime::format_duration(*limit)
            ),
            Self::Lost => {
                formatter.write_str("ended without saying how it went: the connection was lost")
            }
            Self::Unreadable(what) => write!(formatter, "failed: {what}"),
        }
    }
}

impl fmt::Display for Aftermath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untouched => formatter.write_str("no profile and no container was changed by this step"),
            Self::Restored { generation } => write!(formatter, "restored: profile and guest are back on {generation}"),
            Self::Stopped { generation: Some(generation) } => {
                write!(formatter, "restored: the container is stopped, as it was, and its profile is back on {generation}")
            }
            Self::Stopped { generation: None } => formatter
                .write_str("the container is stopped and has no profile: there is no earlier generation to go back to"),
            Self::Unrestored { unit } => write!(
                formatter,
                "going back failed too: the container needs a look now\nnext: systemctl status {unit} on the host"
            ),
            Self::OnItsOwn { unit } => write!(
                formatter,
                "the host ends this by itself: it keeps the new generation if the guest runs it, and goes back if not\n\
                 next: systemctl status {unit} on the host"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        let failure = Failure::Step(Box::new(StepFailure {
            step: Step::Activate,
            subject: "container `web` on root@host".into(),
            cause: Cause::Status(1),
            said: vec!["Job for systemd-nspawn@web.service failed.".into()],
            aftermath: Aftermath::Restored {
                generation: "system-3-link".into(),
            },
        }));
        insta::assert_snapshot!(failure, @r"
        step `activate` of container `web` on root@host failed with status 1
          | Job for systemd-nspawn@web.service failed.
        restored: profile and guest are back on system-3-link
        ");
        let failure = Failure::early(
            Step::Build,
            "container `web`",
            Cause::TimedOut(Duration::from_secs(90)),
            vec![],
        );
        insta::assert_snapshot!(failure, @r"
        step `build` of container `web` timed out after 1m 30s
        next: find out what it waited for, or give it more time with --build-timeout
        no profile and no container was changed by this step
        ");
    }

    #[test]
    fn only_the_end_of_long_output_is_repeated() {
        let said = (0..100).map(|number| format!("line {number}")).collect();
        let message = Failure::early(Step::Copy, "root@host", Cause::Status(1), said).to_string();
        assert!(message.contains("(70 earlier lines are above)"));
        assert!(!message.contains("line 69\n") && message.contains("line 70\n"));
    }

    #[test]
    fn exit_codes() {
        let after = |aftermath| {
            let (subject, cause) = (String::new(), Cause::Lost);
            let step = Step::Activate;
            Failure::Step(Box::new(StepFailure {
                step,
                subject,
                cause,
                said: vec![],
                aftermath,
            }))
            .exit_code()
        };
        assert_eq!(after(Aftermath::Untouched), 1);
        assert_eq!(after(Aftermath::Stopped { generation: None }), 1);
        assert_eq!(
            after(Aftermath::Unrestored {
                unit: String::new()
            }),
            4
        );
        assert_eq!(
            after(Aftermath::OnItsOwn {
                unit: String::new()
            }),
            4
        );
        assert_eq!(
            Failure::interrupted(Interrupted(15), Step::Copy).exit_code(),
            143
        );
        assert_eq!(
            Failure::Refused {
                reason: String::new(),
                next: String::new()
            }
            .exit_code(),
            3
        );
    }
}
