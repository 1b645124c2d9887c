//! What can be done with a machine, in the words of the NixOS test driver: the same for a host and for a container.

use std::time::Duration;

use crate::{
    util::{
        error::{CommandError, Error, Result},
        poll::{self, Seen},
    },
    vm::qemu::agent::{Output, first_line},
};

/// How long a command may take with KVM.
pub(super) const COMMAND: Duration = Duration::from_secs(30);
/// How often a state is looked at that takes a while to come.
pub(super) const PACE: Duration = Duration::from_millis(250);

/// A machine that runs commands: a [`Host`](super::host::Host), or a [`Container`](super::container::Container) on
/// one.
pub trait Verbs: Sync {
    /// Runs `sh -c script` as root and returns how it ended, whatever that is, for at most `limit` (stated for KVM).
    ///
    /// # Errors
    /// When it does not end in time, or there is no machine to run it.
    fn execute_within(
        &self,
        script: &str,
        limit: Duration,
    ) -> impl Future<Output = Result<Output>> + Send;

    /// `limit`, stated for a machine with KVM, for this machine.
    fn limit(&self, limit: Duration) -> Duration;

    /// What messages call `script`: its first line, and the container that it is for.
    fn called(&self, script: &str) -> String {
        first_line(script)
    }

    /// Runs `sh -c script` as root and returns how it ended, whatever that is.
    ///
    /// # Errors
    /// As [`Self::execute_within`].
    fn execute(&self, script: &str) -> impl Future<Output = Result<Output>> + Send {
        self.execute_within(script, COMMAND)
    }

    /// Runs `script`, which has to succeed, and returns its standard output.
    ///
    /// # Errors
    /// [`Error::Command`] when it exits with anything but 0.
    fn succeed(&self, script: &str) -> impl Future<Output = Result<String>> + Send {
        async { self.succeeded(script, self.execute(script).await?) }
    }

    /// What `script` printed, which has to have ended in `output` with 0.
    ///
    /// # Errors
    /// [`Error::Command`] if it has not.
    fn succeeded(&self, script: &str, output: Output) -> Result<String> {
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(wrong(self.called(script), "should succeed", output))
    }

    /// Runs `script`, which has to fail, and returns how it ended.
    ///
    /// # Errors
    /// [`Error::Command`] when it exits with 0.
    fn fail(&self, script: &str) -> impl Future<Output = Result<Output>> + Send {
        async {
            let output = self.execute(script).await?;
            if output.status.success() {
                return Err(wrong(self.called(script), "should fail", output));
            }
            Ok(output)
        }
    }

    /// Runs `script` until it succeeds, for at most `limit` (stated for KVM), and returns its standard output.
    ///
    /// # Errors
    /// [`Error::Timeout`] with what the last run said.
    fn wait_until_succeeds(
        &self,
        script: &str,
        limit: Duration,
    ) -> impl Future<Output = Result<String>> + Send {
        async move {
            let what = format!("`{}` to succeed", self.called(script));
            poll::until(&what, self.limit(limit), PACE, || async {
                let output = self.execute(script).await?;
                Ok(if output.status.success() {
                    Seen::Ready(output.stdout)
                } else {
                    Seen::NotYet(format!(
                        "{}: {}{}",
                        output.status, output.stdout, output.stderr
                    ))
                })
            })
            .await
        }
    }

    /// Runs `script` until it fails, for at most `limit` (stated for KVM).
    ///
    /// # Errors
    /// [`Error::Timeout`].
    fn wait_until_fails(
        &self,
        script: &str,
        limit: Duration,
    ) -> impl Future<Output = Result<()>> + Send {
        async move {
            let what = format!("`{}` to fail", self.called(script));
            poll::until(&what, self.limit(limit), PACE, || async {
                let output = self.execute(script).await?;
                Ok(if output.status.success() {
                    Seen::NotYet("it succeeds".into())
                } else {
                    Seen::Ready(())
                })
            })
            .await
        }
    }

    /// Waits until `unit` is active; a unit that failed ends the wait at once.
    ///
    /// # Errors
    /// [`Error::Timeout`], or [`Error::Command`] when it failed.
    fn wait_for_unit(&self, unit: &str) -> impl Future<Output = Result<()>> + Send {
        async move {
            let script = format!("systemctl show -p ActiveState --value {unit}");
            let what = format!("{unit} to be active");
            poll::until(&what, self.limit(COMMAND), PACE, || async {
                let state = self.succeed(&script).await?;
                match state.trim() {
                    "active" => Ok(Seen::Ready(())),
                    "failed" => {
                        let status = format!("systemctl status -n 20 {unit}");
                        let status = self.execute(&status).await?;
                        let start = self.called(&format!("systemctl start {unit}"));
                        Err(wrong(start, "should succeed", status))
                    }
                    other => Ok(Seen::NotYet(other.to_owned())),
                }
            })
            .await
        }
    }

    /// Waits until something accepts TCP connections on `port`, as the machine's own `ss` tells.
    ///
    /// # Errors
    /// [`Error::Timeout`].
    fn wait_for_open_port(&self, port: u16) -> impl Future<Output = Result<()>> + Send {
        async move {
            let script = format!("ss -Hltn 'sport = :{port}' | grep -q .");
            self.wait_until_succeeds(&script, COMMAND).await.map(drop)
        }
    }
}

fn wrong(command: String, demand: &'static str, output: Output) -> Error {
    CommandError {
        command,
        demand,
        status: output.status.to_string(),
        stdout: output.stdout,
        stderr: output.stderr,
    }
    .into()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::vm::qemu::agent::Status;

    /// Answers each command with the next of `answers`, and remembers it.
    #[derive(Default)]
    struct Scripted {
        answers: Mutex<Vec<(i32, &'static str)>>,
        asked: Mutex<Vec<String>>,
    }

    impl Scripted {
        fn of(mut answers: Vec<(i32, &'static str)>) -> Self {
            answers.reverse();
            Self {
                answers: Mutex::new(answers),
                ..Self::default()
            }
        }

        fn asked(&self) -> Vec<String> {
            self.asked.lock().unwrap().clone()
        }
    }

    impl Verbs for Scripted {
        async fn execute_within(&self, script: &str, _: Duration) -> Result<Output> {
            self.asked.lock().unwrap().push(script.to_owned());
            let mut answers = self.answers.lock().unwrap();
            let last = answers.len() == 1;
            let (code, said) = if last {
                answers[0]
            } else {
                answers.pop().expect("an answer")
            };
            Ok(Output {
                status: Status::Exit(code),
                stdout: said.to_owned(),
                stderr: String::new(),
                notes: vec![],
            })
        }

        fn limit(&self, limit: Duration) -> Duration {
            limit
        }

        fn called(&self, script: &str) -> String {
            format!("{} in web", first_line(script))
        }
    }

    #[tokio::test]
    async fn what_should_succeed_or_fail_is_named_with_its_place() {
        let machine = Scripted::of(vec![(0, "fine"), (3, "no"), (3, "no"), (0, "fine")]);
        assert_eq!(machine.succeed("one").await.unwrap(), "fine");
        let wrong = machine.succeed("two").await.unwrap_err().to_string();
        assert!(wrong.starts_with("`two in web` should succeed"), "{wrong}");
        assert_eq!(machine.fail("three").await.unwrap().status, Status::Exit(3));
        let wrong = machine.fail("four").await.unwrap_err().to_string();
        assert!(wrong.starts_with("`four in web` should fail"), "{wrong}");
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_asks_again_until_it_is_so() {
        let machine = Scripted::of(vec![(1, ""), (1, ""), (0, "there"), (0, ""), (1, "")]);
        let limit = Duration::from_secs(5);
        assert_eq!(
            machine.wait_until_succeeds("ls", limit).await.unwrap(),
            "there"
        );
        machine.wait_until_fails("ls", limit).await.unwrap();
        assert_eq!(machine.asked().len(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_in_vain_says_what_was_seen_last() {
        let machine = Scripted::of(vec![(1, "nothing listens")]);
        let error = machine.wait_for_open_port(80).await.unwrap_err();
        let Error::Timeout(timeout) = error else {
            panic!("{error}");
        };
        assert_eq!(timeout.last, "exit status 1: nothing listens");
        assert!(timeout.what.contains("sport = :80"), "{}", timeout.what);
    }

    #[tokio::test(start_paused = true)]
    async fn a_unit_that_failed_is_not_waited_for() {
        let machine = Scripted::of(vec![
            (0, "activating"),
            (0, "failed"),
            (3, "x.service: dead"),
        ]);
        let error = machine.wait_for_unit("x.service").await.unwrap_err();
        let said = error.to_string();
        assert!(said.contains("systemctl start x.service in web"), "{said}");
        assert_eq!(machine.asked()[2], "systemctl status -n 20 x.service");
        let machine = Scripted::of(vec![(0, "activating"), (0, "active")]);
        machine.wait_for_unit("x.service").await.unwrap();
    }
}
