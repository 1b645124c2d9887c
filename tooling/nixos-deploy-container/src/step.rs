//! The steps of a deploy, and how long each may take.

use std::fmt;
use std::time::Duration;

/// One step. Its name is what errors and the documentation call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Evaluate the machine here.
    Evaluate,
    /// Reach the host over ssh and read what is declared there.
    Connect,
    /// Remove from the host what a power cut in the middle of a deploy left registered and not whole.
    Recover,
    /// Copy the derivations to the host.
    Copy,
    /// Build on the host.
    Build,
    /// Wait until it is on disk, and point the profile at it.
    Flush,
    /// Point the profile at the generation before (`--rollback`).
    Rollback,
    /// Keep other deploys of the same container out.
    Lock,
    /// Reload or start the container's service.
    Activate,
    /// Ask the guest what it runs.
    Verify,
    /// Go back to what was there.
    Restore,
}

/// Upper limits, one per class of steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) evaluate: Duration,
    pub(crate) connect: Duration,
    pub(crate) copy: Duration,
    pub(crate) build: Duration,
    pub(crate) activate: Duration,
    pub(crate) verify: Duration,
}

impl Limits {
    /// How long `step` may take. Going back may need a reload, a restart, and a question after each.
    pub(crate) fn of(&self, step: Step) -> Duration {
        match step {
            Step::Evaluate => self.evaluate,
            Step::Connect | Step::Lock | Step::Rollback => self.connect,
            Step::Copy => self.copy,
            Step::Recover | Step::Build | Step::Flush => self.build,
            Step::Activate => self.activate,
            Step::Verify => self.verify,
            Step::Restore => 2 * (self.job_of_restore() + self.verify),
        }
    }

    /// How often either side of the connection says that it is there.
    pub(crate) fn sign_of_life(&self) -> Duration {
        (self.connect / 2).clamp(SIGN_OF_LIFE_MIN, SIGN_OF_LIFE_MAX)
    }

    /// How long the host waits for a sign of life before it ends the connection. This side waits for four of them, and is the
    /// first to give up.
    pub(crate) fn silence(&self) -> Duration {
        6 * self.sign_of_life()
    }

    /// How long one reload, restart or stop may take on the way back.
    pub(crate) fn job_of_restore(&self) -> Duration {
        self.activate.max(RESTORE_MIN)
    }
}

/// A slow network is not a silent one.
const SIGN_OF_LIFE_MIN: Duration = Duration::from_secs(5);
/// Routers forget connections that are silent for some minutes.
const SIGN_OF_LIFE_MAX: Duration = Duration::from_secs(15);

/// The way back is not cut short because somebody was strict about the way forward.
const RESTORE_MIN: Duration = Duration::from_secs(90);

/// A limit as whole seconds for `timeout` on the host: at least one, since 0 means no limit there.
pub(crate) fn seconds(limit: Duration) -> u64 {
    let rounded_up = limit.as_secs() + u64::from(limit.subsec_nanos() > 0);
    rounded_up.max(1)
}

impl Step {
    const ALL: [Self; 11] = [
        Self::Evaluate,
        Self::Connect,
        Self::Recover,
        Self::Copy,
        Self::Build,
        Self::Flush,
        Self::Rollback,
        Self::Lock,
        Self::Activate,
        Self::Verify,
        Self::Restore,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Evaluate => "evaluate",
            Self::Connect => "connect",
            Self::Recover => "recover",
            Self::Copy => "copy",
            Self::Build => "build",
            Self::Flush => "flush",
            Self::Rollback => "rollback",
            Self::Lock => "lock",
            Self::Activate => "activate",
            Self::Verify => "verify",
            Self::Restore => "restore",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_found_by_its_name() {
        for step in Step::ALL {
            assert_eq!(Step::from_name(step.name()), Some(step));
        }
        assert_eq!(Step::from_name("dance"), None);
    }

    #[test]
    fn signs_of_life_come_within_the_limit_for_connecting() {
        let limits = |connect| Limits {
            connect: Duration::from_secs(connect),
            evaluate: Duration::ZERO,
            copy: Duration::ZERO,
            build: Duration::ZERO,
            activate: Duration::ZERO,
            verify: Duration::ZERO,
        };
        for (connect, sign, silence) in [(0, 5, 30), (20, 10, 60), (30, 15, 90), (600, 15, 90)] {
            let limits = limits(connect);
            assert_eq!(limits.sign_of_life().as_secs(), sign, "{connect}");
            assert_eq!(limits.silence().as_secs(), silence, "{connect}");
        }
    }

    #[test]
    fn a_limit_never_becomes_zero_seconds() {
        assert_eq!(seconds(Duration::ZERO), 1);
        assert_eq!(seconds(Duration::from_millis(300)), 1);
        assert_eq!(seconds(Duration::from_millis(1500)), 2);
        assert_eq!(seconds(Duration::from_secs(60)), 60);
    }
}
