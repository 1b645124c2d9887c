//! A shell that is there before its script: most of what a command costs is its start, which a host
//! that was saved with such a shell has behind it.

use std::{
    fs::File,
    io::{self, Write},
    process::Child,
};

use rustix::pipe::{PipeFlags, pipe_with};

use crate::run::{self, Wanted};

/// The script comes through a pipe, which holds this much before anybody reads it; a longer one would
/// make the agent wait for a shell that runs its first lines already.
const LONGEST: usize = 60 << 10;

/// Reads the script from where its input was. The script itself closes the descriptor before anything
/// else.
const WAIT: &str = "exec 3<&0 </dev/null; . /proc/self/fd/3";

/// A shell that waits for its script.
#[derive(Debug)]
pub(crate) struct Ready {
    child: Child,
    script: File,
    like: WaitingShell,
}

/// What a shell is started with, besides the script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WaitingShell {
    path: String,
    env: Vec<String>,
}

impl WaitingShell {
    /// The shell and the script that `wanted` asks for, if it asks for one that might have waited.
    pub(crate) fn of(wanted: &Wanted) -> Option<(Self, &str)> {
        let [flag, script] = wanted.arg.as_slice() else {
            return None;
        };
        let fits = flag == "-c"
            && wanted.path.ends_with("/sh")
            && wanted.input_data.is_empty()
            && script.len() < LONGEST;
        let shell = Self {
            path: wanted.path.clone(),
            env: wanted.env.clone(),
        };
        fits.then_some((shell, script))
    }

    /// Starts one that waits.
    ///
    /// # Errors
    /// When it can't be started.
    pub(crate) fn start(self) -> io::Result<Ready> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        let arg = ["-c".to_owned(), WAIT.to_owned()];
        Ok(Ready {
            child: run::spawn(&self.path, &arg, &self.env, read)?,
            script: File::from(write),
            like: self,
        })
    }
}

impl Ready {
    /// Hands it `script`, if it is such a shell and still waits; `None` if not, and it ends.
    pub(crate) fn run(mut self, shell: &WaitingShell, script: &str) -> Option<Child> {
        let waits = self.like == *shell && matches!(self.child.try_wait(), Ok(None));
        let whole = format!("exec 3<&-; {script}\n");
        if waits && self.script.write_all(whole.as_bytes()).is_ok() {
            // Dropping the pipe's other end tells the shell that this is all.
            return Some(self.child);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        None
    }
}
