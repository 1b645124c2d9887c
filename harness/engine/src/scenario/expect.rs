//! Assertions with names: a saboteur names the one it must break.

use std::{fmt, time::Duration};

use crate::{
    util::{
        error::{Error, Result},
        poll::{self, Seen},
    },
    verdict::{Failure, ScenarioError},
    vm::qemu::agent::Output,
};

/// An assertion that is about to be made.
#[derive(Debug, Clone, Copy)]
#[must_use = "an expectation asserts nothing until one of its methods is called"]
pub struct Expect {
    assertion: &'static str,
}

/// Names an assertion; its methods make it.
pub fn expect(assertion: &'static str) -> Expect {
    Expect { assertion }
}

impl Expect {
    /// `holds` has to be true.
    ///
    /// # Errors
    /// [`ScenarioError::Failed`] with `expected` and `seen`.
    pub fn that(
        self,
        holds: bool,
        expected: impl fmt::Display,
        seen: impl fmt::Display,
    ) -> Result<(), ScenarioError> {
        if holds {
            return Ok(());
        }
        Err(self.failure(expected, seen, Vec::new()))
    }

    /// `seen` has to equal `expected`.
    ///
    /// # Errors
    /// As [`Self::that`].
    pub fn equal<T: PartialEq<U> + fmt::Debug, U: fmt::Debug>(
        self,
        seen: T,
        expected: U,
    ) -> Result<(), ScenarioError> {
        self.that(
            seen == expected,
            format_args!("{expected:?}"),
            format_args!("{seen:?}"),
        )
    }

    /// `seen` has to differ from `other`.
    ///
    /// # Errors
    /// As [`Self::that`].
    pub fn differ<T: PartialEq<U> + fmt::Debug, U: fmt::Debug>(
        self,
        seen: T,
        other: U,
    ) -> Result<(), ScenarioError> {
        self.that(
            seen != other,
            format_args!("anything but {other:?}"),
            format_args!("{seen:?}"),
        )
    }

    /// `seen` has to contain `part`.
    ///
    /// # Errors
    /// As [`Self::that`].
    pub fn contains(self, seen: &str, part: &str) -> Result<(), ScenarioError> {
        self.that(
            seen.contains(part),
            format_args!("something with {part:?}"),
            format_args!("{seen:?}"),
        )
    }

    /// `seen` must not contain `part`.
    ///
    /// # Errors
    /// As [`Self::that`].
    pub fn lacks(self, seen: &str, part: &str) -> Result<(), ScenarioError> {
        self.that(
            !seen.contains(part),
            format_args!("nothing with {part:?}"),
            format_args!("{seen:?}"),
        )
    }

    /// The command has to have exited with 0. Returns its standard output.
    ///
    /// # Errors
    /// As [`Self::that`], with the last lines it wrote.
    pub fn succeeded(self, output: Output) -> Result<String, ScenarioError> {
        if output.status.success() {
            return Ok(output.stdout);
        }
        let lines = output.stdout.lines().chain(output.stderr.lines());
        Err(self.failure(
            "exit status 0",
            output.status,
            last(lines.map(str::to_owned).collect()),
        ))
    }

    /// The command has to have exited with something else than 0. Returns what it printed.
    ///
    /// # Errors
    /// As [`Self::that`].
    pub fn refused(self, output: Output) -> Result<String, ScenarioError> {
        let text = format!("{}{}", output.stdout, output.stderr);
        if output.status.success() {
            let lines = last(text.lines().map(str::to_owned).collect());
            return Err(self.failure("an exit status other than 0", output.status, lines));
        }
        Ok(text)
    }

    /// `look` has to find it within `limit` (as it is: stretch it with [`crate::vm::host::Host::limit`]).
    ///
    /// # Errors
    /// [`ScenarioError::Failed`] with what was seen last. A failing command while looking is something
    /// seen, not the end: the state may still come.
    pub async fn eventually<T, F>(
        self,
        limit: Duration,
        expected: impl Into<String>,
        mut look: impl FnMut() -> F,
    ) -> Result<T, ScenarioError>
    where
        F: Future<Output = Result<Seen<T>>>,
    {
        let expected = expected.into();
        let waited = poll::until(self.assertion, limit, Duration::from_millis(300), || {
            let look = look();
            async {
                match look.await {
                    Err(Error::Command(error)) => Ok(Seen::NotYet(error.to_string())),
                    other => other,
                }
            }
        });
        waited.await.map_err(|error| match error {
            Error::Timeout(timeout) => {
                let waited = humantime::format_duration(timeout.waited);
                self.failure(
                    format!("{expected} within {waited}"),
                    timeout.last,
                    Vec::new(),
                )
            }
            other => other.into(),
        })
    }

    fn failure(
        self,
        expected: impl fmt::Display,
        seen: impl fmt::Display,
        lines: Vec<String>,
    ) -> ScenarioError {
        ScenarioError::Failed(Failure {
            assertion: self.assertion.to_owned(),
            expected: expected.to_string(),
            seen: seen.to_string(),
            hop: None,
            lines,
        })
    }
}

fn last(mut lines: Vec<String>) -> Vec<String> {
    lines.split_off(lines.len().saturating_sub(20))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::qemu::agent::Status;

    fn text(broken: ScenarioError) -> String {
        assert!(matches!(broken, ScenarioError::Failed(_)), "{broken}");
        broken.to_string()
    }

    #[test]
    fn what_holds_passes() {
        expect("sum").equal(2, 2).unwrap();
        expect("text").contains("abc", "b").unwrap();
        expect("text").lacks("abc", "x").unwrap();
    }

    #[test]
    fn what_does_not_hold_names_the_assertion_and_both_sides() {
        insta::assert_snapshot!(text(expect("boot id").equal("a", "b").unwrap_err()), @r#"boot id: expected "b", saw "a""#);
        insta::assert_snapshot!(text(expect("page").contains("502", "hello").unwrap_err()), @r#"page: expected something with "hello", saw "502""#);
    }

    #[test]
    fn a_command_fails_with_its_last_words() {
        let output = Output {
            status: Status::Exit(3),
            stdout: String::new(),
            stderr: "no such container\n".into(),
            notes: vec![],
        };
        let ScenarioError::Failed(failure) = expect("deploy").succeeded(output).unwrap_err() else {
            panic!("not a failure");
        };
        assert_eq!(failure.lines, ["no such container"]);
        assert_eq!(failure.seen, "exit status 3");
    }

    #[tokio::test(start_paused = true)]
    async fn in_vain_is_a_failure_of_that_assertion_and_no_timeout() {
        let broken = expect("the lease")
            .eventually::<(), _>(
                Duration::from_secs(3),
                "an address of 192.168.0.0/16",
                || async { Ok(Seen::NotYet("169.254.1.1".into())) },
            )
            .await
            .unwrap_err();
        insta::assert_snapshot!(text(broken), @"the lease: expected an address of 192.168.0.0/16 within 3s, saw 169.254.1.1");
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_of_the_lab_while_looking_is_no_failure() {
        let broken = expect("the lease")
            .eventually::<(), _>(Duration::from_secs(3), "anything", || async {
                Err(Error::Agent("gone".into()))
            })
            .await
            .unwrap_err();
        assert!(
            matches!(broken, ScenarioError::Infrastructure(_)),
            "{broken}"
        );
    }
}
