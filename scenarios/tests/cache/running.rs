//! A `spawnlab` in the middle of its work, and what it has said so far.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

/// Longer than any step takes on a busy machine without KVM.
const LIMIT: Duration = Duration::from_secs(900);

pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    pub(crate) seen: Vec<String>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("it can be started");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// Looks at `when` with every line and many times a second; whether it came before the end.
    pub(crate) fn until_holds(
        &mut self,
        what: &str,
        mut when: impl FnMut(&[String]) -> bool,
    ) -> bool {
        let begin = Instant::now();
        while !when(&self.seen) {
            assert!(begin.elapsed() < LIMIT, "{what}: {:#?}", self.seen);
            match self.lines.recv_timeout(Duration::from_millis(5)) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        true
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("it is dead");
    }

    /// Waits for its end, which has to be a pass; returns what it printed.
    pub(crate) fn passes(mut self) -> Vec<String> {
        let seen = self.ends_with(0);
        let passed = |line: &String| line.contains("all as expected: 1 passed");
        assert!(seen.iter().any(passed), "{seen:#?}");
        seen
    }

    /// Waits for its end, which has to be this one; returns what it printed.
    pub(crate) fn ends_with(&mut self, code: i32) -> Vec<String> {
        self.until_holds("its end", |_| false);
        let status = self.child.wait().expect("it ends");
        assert_eq!(status.code(), Some(code), "{:#?}", self.seen);
        std::mem::take(&mut self.seen)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn begun(seen: &[String], what: &str) -> bool {
    let said = |line: &String| line.starts_with("begin") && line.ends_with(what);
    seen.iter().any(said)
}

/// Whether a layer was `built` or `reused`.
pub(crate) fn was(seen: &[String], how: &str, layer: &str) -> bool {
    let said = |line: &String| line.starts_with(how) && line.contains(&format!("layer {layer} "));
    seen.iter().any(said)
}

/// Whether it waits for another process that builds `layer`.
pub(crate) fn waits(seen: &[String], layer: &str) -> bool {
    let line = format!("layer {layer}: another process is building it; waiting");
    seen.iter().any(|said| said.contains(&line))
}

/// `layer` was built again, because of `why`.
pub(crate) fn rebuilt(seen: &[String], layer: &str, why: &str) {
    let said = |line: &String| line.contains("it is rebuilt") && line.contains(why);
    assert!(
        seen.iter().any(said),
        "no rebuilding for `{why}`: {seen:#?}"
    );
    assert!(
        was(seen, "built", layer),
        "{layer} was not built: {seen:#?}"
    );
}
