//! A person's terminal on a host: a shell there, bytes both ways, until either side has enough.

use std::{io::IsTerminal, time::Duration};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

use crate::{
    util::error::{Error, Result},
    vm::{container::quote, host::Host},
};

/// Ctrl-], as in telnet: leaves the shell without ending it.
const LEAVE: u8 = 0x1d;
/// Ctrl-D: what a terminal says at the end of input.
const END: u8 = 0x04;

/// The caller's terminal in raw mode; dropping it gives it back as it was.
struct Raw(Option<Termios>);

impl Raw {
    fn enter() -> Result<Self> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return Ok(Self(None));
        }
        let before = tcgetattr(&stdin).map_err(std::io::Error::from)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&stdin, OptionalActions::Now, &raw).map_err(std::io::Error::from)?;
        Ok(Self(Some(before)))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}

/// Runs `command` on the host's `/dev/hvc0` and joins it with this process' standard input and
/// output, until it ends or Ctrl-] is typed. Without a terminal the input is a script: at its end
/// the command is told so.
///
/// # Errors
/// When the host's terminal can't be opened.
pub async fn attach(host: &Host, command: &str) -> Result<()> {
    let stream = UnixStream::connect(host.machine().shell_socket()).await?;
    let size = tcgetwinsize(std::io::stdout()).ok();
    let size = size.map_or(String::new(), |size| {
        format!("stty rows {} cols {};", size.ws_row, size.ws_col)
    });
    let echo = if std::io::stdin().is_terminal() {
        ""
    } else {
        "stty -echo;"
    };
    // The leader of a new session gets the first terminal that it opens as its controlling one.
    let session = format!(
        "exec <>/dev/hvc0 >&0 2>&0; stty sane; {size} {echo} export TERM=vt220; cd; {command}"
    );
    let script = format!("exec setsid -w sh -c {}", quote(&session));
    let run = host
        .machine()
        .agent()
        .shell(&script, b"", Duration::from_secs(86_400));
    let raw = Raw::enter()?;
    let (mut from_guest, mut to_guest) = stream.into_split();
    // What is typed before somebody reads the terminal is lost: its first output says that it is open.
    let (opened, open) = tokio::sync::oneshot::channel();
    let output = async {
        let mut stdout = tokio::io::stdout();
        let mut first = [0; 1];
        from_guest.read_exact(&mut first).await?;
        stdout.write_all(&first).await?;
        let _ = opened.send(());
        tokio::io::copy(&mut from_guest, &mut stdout).await?;
        stdout.flush().await
    };
    let input = async {
        let _ = open.await;
        let mut stdin = tokio::io::stdin();
        let mut buffer = [0; 1024];
        loop {
            let count = stdin.read(&mut buffer).await?;
            if count == 0 {
                to_guest.write_all(&[b'\n', END]).await?;
                // The end of input is not the end of the command.
                std::future::pending::<()>().await;
            }
            let typed = &buffer[..count];
            if typed.contains(&LEAVE) {
                return Ok::<_, std::io::Error>(());
            }
            to_guest.write_all(typed).await?;
        }
    };
    tokio::pin!(output);
    let result = tokio::select! {
        ended = host.machine().alive(run) => ended.and_then(|output| match output.stderr.trim() {
            "" => Ok(()),
            words => Err(Error::answer("the host's terminal", words)),
        }),
        gone = &mut output => gone.map_err(Error::from),
        left = input => left.map_err(Error::from),
    };
    // What the command printed last may still be on its way.
    let _ = tokio::time::timeout(Duration::from_millis(300), output).await;
    drop(raw);
    result
}
