//! What no healthy host does, whatever the scenario is about, and a scenario's word that it expects it.

use std::fmt;

/// Kinds of trouble, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// The kernel panicked. The subject is its line.
    KernelPanic,
    /// The kernel oopsed, hung, or found a bug of its own or a damaged file system. The subject is
    /// its line.
    KernelOops,
    /// A machine fell back to its emergency or rescue shell. The subject is the line that says so.
    EmergencyShell,
    /// Memory ran out, and a process was killed. The subject is the process's name where the kernel
    /// tells it, and the unit where systemd does.
    OomKill,
    /// A program crashed: it dumped core, or would have if it had been allowed to. The subject is the
    /// unit where systemd tells it, and the process's name where the kernel does.
    CoreDump,
    /// systemd dropped a job to break an ordering cycle. The subject is the job's unit.
    OrderingCycle,
    /// A unit failed. The subject is the unit.
    FailedUnit,
}

impl FindingKind {
    /// All of them, the worst first.
    pub const ALL: [Self; 7] = [
        Self::KernelPanic,
        Self::KernelOops,
        Self::EmergencyShell,
        Self::OomKill,
        Self::CoreDump,
        Self::OrderingCycle,
        Self::FailedUnit,
    ];

    /// The assertion that does not hold where there is one of these: what a saboteur names.
    #[must_use]
    pub const fn assertion(self) -> &'static str {
        match self {
            Self::KernelPanic => "no kernel panics",
            Self::KernelOops => "no kernel oopses",
            Self::EmergencyShell => "no emergency shells",
            Self::OomKill => "no OOM kills",
            Self::CoreDump => "no core dumps",
            Self::OrderingCycle => "no ordering cycles",
            Self::FailedUnit => "no failed units",
        }
    }

    /// What one of these is called.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::KernelPanic => "kernel panic",
            Self::KernelOops => "kernel oops",
            Self::EmergencyShell => "emergency shell",
            Self::OomKill => "OOM kill",
            Self::CoreDump => "core dump",
            Self::OrderingCycle => "ordering cycle",
            Self::FailedUnit => "failed unit",
        }
    }

    /// Whether the subject is a whole line, of which nobody can expect every word.
    fn is_line(self) -> bool {
        matches!(
            self,
            Self::KernelPanic | Self::KernelOops | Self::EmergencyShell
        )
    }
}

/// The machine of what is found on the host itself.
pub const HOST: &str = "host";

/// Something that no healthy machine does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of trouble.
    pub kind: FindingKind,
    /// [`HOST`], or the container that it happened in.
    pub machine: String,
    /// What it is about, as [`FindingKind`] says.
    pub subject: String,
    /// The line that it was read from.
    pub line: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            machine,
            subject,
            line,
        } = self;
        write!(f, "{} on {machine}: ", kind.word())?;
        if line.contains(subject) {
            f.write_str(line)
        } else {
            write!(f, "{subject}: {line}")
        }
    }
}

/// A scenario's word that it makes a finding, and why. It is a permission: whether what is expected
/// comes is for the scenario's own assertions to say.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// What kind of trouble.
    pub kind: FindingKind,
    /// The finding's subject, or its beginning with a `*` behind it; a part of it where the subject
    /// is a line.
    pub subject: &'static str,
    /// [`HOST`], or the container.
    pub machine: &'static str,
    /// Why it is no fault.
    pub because: &'static str,
}

impl Expected {
    /// Whether `finding` is what is expected.
    #[must_use]
    pub fn covers(&self, finding: &Finding) -> bool {
        let subject = &finding.subject;
        let same = if self.kind.is_line() {
            subject.contains(self.subject)
        } else {
            match self.subject.strip_suffix('*') {
                Some(beginning) => subject.starts_with(beginning),
                None => subject == self.subject,
            }
        };
        same && self.kind == finding.kind && self.machine == finding.machine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(machine: &str, unit: &str) -> Finding {
        Finding {
            kind: FindingKind::FailedUnit,
            machine: machine.into(),
            subject: unit.into(),
            line: format!("{unit}: Failed with result 'exit-code'."),
        }
    }

    fn expected(kind: FindingKind, subject: &'static str, machine: &'static str) -> Expected {
        Expected {
            kind,
            subject,
            machine,
            because: "it is killed",
        }
    }

    #[rstest::rstest]
    #[case(expected(FindingKind::FailedUnit, "a.service", "web"), true)]
    #[case(expected(FindingKind::FailedUnit, "a*", "web"), true)]
    #[case(expected(FindingKind::FailedUnit, "a", "web"), false)]
    #[case(expected(FindingKind::FailedUnit, ".service", "web"), false)]
    #[case(expected(FindingKind::FailedUnit, "a.service", HOST), false)]
    #[case(expected(FindingKind::CoreDump, "a.service", "web"), false)]
    fn an_expectation_is_of_one_unit_on_one_machine(
        #[case] expected: Expected,
        #[case] covered: bool,
    ) {
        assert_eq!(expected.covers(&failed("web", "a.service")), covered);
    }

    #[test]
    fn of_a_line_a_part_is_expected() {
        let line = "BUG: unable to handle page fault for address: 0";
        let finding = Finding {
            kind: FindingKind::KernelOops,
            machine: HOST.into(),
            subject: line.into(),
            line: line.into(),
        };
        assert!(expected(FindingKind::KernelOops, "page fault", HOST).covers(&finding));
        assert!(!expected(FindingKind::KernelOops, "soft lockup", HOST).covers(&finding));
    }

    #[test]
    fn what_is_found_is_said_in_a_line() {
        let mut finding = failed("web", "nginx.service");
        assert_eq!(
            finding.to_string(),
            "failed unit on web: nginx.service: Failed with result 'exit-code'."
        );
        finding.line = "Failed to start the web server.".into();
        assert_eq!(
            finding.to_string(),
            "failed unit on web: nginx.service: Failed to start the web server."
        );
    }
}
