//! The health of a host and its guests, looked after when a scenario is over, whatever it was about.

use crate::{
    health::scan,
    scenario::evidence,
    util::error::Error,
    verdict::{
        Failure, Outcome, ScenarioError,
        finding::{Expected, Finding, HOST},
    },
    vm::host::Host,
};

/// How many findings a failure shows at most.
const SHOWN: usize = 20;

/// What findings mean.
#[derive(Debug, Clone, Copy)]
pub enum Health {
    /// A finding that is none of these is a failure.
    Counts(&'static [Expected]),
    /// They are kept as evidence.
    Noted,
}

/// What the findings of the host kept for the eye: the file of the evidence folder, a line each.
pub const FILE: &str = "health.txt";

/// Keeps the journals of `host` and judges what they and its console say: `outcome` is what the
/// scenario's own assertions came to, and where those failed they stay what failed.
///
/// # Errors
/// What `outcome` holds, else the worst finding as a failure of [`FindingKind::assertion`], else that the
/// host's journals can't be read.
///
/// [`FindingKind::assertion`]: crate::verdict::finding::FindingKind::assertion
pub async fn judged(host: &Host, outcome: Outcome, health: Health) -> Outcome {
    let (findings, unread) = look(host).await;
    let unexpected = match health {
        Health::Counts(expected) => unexpected(findings, expected),
        Health::Noted => vec![],
    };
    match (outcome, unread) {
        (Err(ScenarioError::Failed(mut failure)), _) => {
            failure.lines.extend(lines(&unexpected));
            Err(ScenarioError::Failed(failure))
        }
        (Err(broken), _) => Err(broken),
        (Ok(()), _) if !unexpected.is_empty() => Err(failure(&unexpected).into()),
        // A health that can't be told is no good one.
        (Ok(()), Some(error)) => Err(ScenarioError::Infrastructure(error)),
        (Ok(()), None) => Ok(()),
    }
}

/// Keeps journals and findings of a `host` whose verdict has been given already.
pub async fn noted(host: &Host) {
    look(host).await;
}

/// Looks through console and journals, and keeps what was found as [`FILE`].
async fn look(host: &Host) -> (Vec<Finding>, Option<Error>) {
    let ((journal, missing), unread) = match evidence::journal(host).await {
        Ok(read) => (read, None),
        Err(error) => ((vec![], vec![]), Some(error)),
    };
    let console = host.console_tail(usize::MAX);
    let mut findings = scan::scan(&console, &journal);
    if host.name() != HOST {
        for finding in &mut findings {
            finding.machine = match finding.machine.as_str() {
                HOST => host.name().to_owned(),
                container => format!("{}/{container}", host.name()),
            };
        }
    }
    keep(host, &text(&findings, &missing));
    (findings, unread)
}

/// What is kept: the findings, and what of the journals was not looked through.
fn text(findings: &[Finding], missing: &[String]) -> String {
    let findings = findings.iter().map(|finding| format!("{finding}\n"));
    let missing = missing
        .iter()
        .map(|missing| format!("not looked through: {missing}\n"));
    findings.chain(missing).collect()
}

fn keep(host: &Host, text: &str) {
    if text.is_empty() {
        return;
    }
    if let Err(error) = fs_err::write(host.evidence().join(FILE), text) {
        tracing::warn!(%error, "evidence is missing");
    }
}

fn unexpected(findings: Vec<Finding>, expected: &[Expected]) -> Vec<Finding> {
    findings
        .into_iter()
        .filter(|finding| !expected.iter().any(|expected| expected.covers(finding)))
        .collect()
}

fn failure(findings: &[Finding]) -> Failure {
    let worst = findings.first();
    Failure {
        assertion: worst.map_or("", |worst| worst.kind.assertion()).to_owned(),
        expected: "a host and guests without trouble that the scenario does not expect".into(),
        seen: worst.map(ToString::to_string).unwrap_or_default(),
        hop: None,
        lines: lines(findings.get(1..).unwrap_or_default()),
    }
}

fn lines(findings: &[Finding]) -> Vec<String> {
    let mut lines: Vec<String> = findings
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    if let Some(more @ 1..) = findings.len().checked_sub(SHOWN) {
        lines.push(format!("and {more} more in {FILE}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::finding::FindingKind;

    fn finding(kind: FindingKind, subject: &str) -> Finding {
        Finding {
            kind,
            machine: HOST.into(),
            subject: subject.into(),
            line: format!("{subject} it is"),
        }
    }

    #[test]
    fn the_worst_finding_names_the_assertion_and_the_others_follow() {
        let findings = vec![
            finding(FindingKind::OomKill, "tail"),
            finding(FindingKind::FailedUnit, "a.service"),
            finding(FindingKind::FailedUnit, "b.service"),
        ];
        let expected = [Expected {
            kind: FindingKind::FailedUnit,
            subject: "a.service",
            machine: HOST,
            because: "it is made to fail",
        }];
        let left = unexpected(findings.clone(), &expected);
        assert_eq!(left.len(), 2);
        let failure = failure(&left);
        assert_eq!(failure.assertion, "no OOM kills");
        assert_eq!(failure.seen, "OOM kill on host: tail it is");
        assert_eq!(failure.lines, ["failed unit on host: b.service it is"]);
        assert_eq!(unexpected(findings[1..2].to_vec(), &expected), []);
    }

    /// <https://github.com/hugelgupf/vmtest/issues/91>
    #[test]
    fn vmtest_91_what_was_not_looked_through_is_said() {
        assert_eq!(text(&[], &[]), "");
        let missing = ["only the last 5000 records; there were more".to_owned()];
        assert_eq!(
            text(&[finding(FindingKind::OomKill, "tail")], &missing),
            "OOM kill on host: tail it is\n\
             not looked through: only the last 5000 records; there were more\n"
        );
    }

    #[test]
    fn a_flood_of_findings_is_cut_and_this_is_said() {
        let many: Vec<Finding> = (0..SHOWN + 3)
            .map(|number| finding(FindingKind::FailedUnit, &format!("u{number}.service")))
            .collect();
        let lines = lines(&many);
        assert_eq!(lines.len(), SHOWN + 1);
        assert_eq!(
            lines.last().map(String::as_str),
            Some("and 3 more in health.txt")
        );
    }
}
