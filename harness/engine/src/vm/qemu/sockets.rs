//! The sockets of one VM.

use std::time::Duration;

use camino::Utf8Path;
use tokio::net::{UnixListener, UnixStream};

use crate::util::error::{Error, Result};

/// `sun_path` holds 108 bytes with its terminating zero; listeners here stay well below.
const LONGEST: usize = 100;

/// Listens on a socket at `path`.
///
/// # Errors
/// When the path is too long for a socket, or can't be bound.
pub(crate) fn listen(path: &Utf8Path) -> Result<UnixListener> {
    if path.as_str().len() > LONGEST {
        return Err(Error::Machine(format!(
            "the socket path {path} is longer than {LONGEST} bytes; set TMPDIR to a shorter folder"
        )));
    }
    Ok(UnixListener::bind(path)?)
}

/// Listeners that QEMU connects to. The lab listens and QEMU calls: so there is nothing to poll
/// for, and a QEMU that dies before it calls is noticed as a death and not as a timeout.
#[derive(Debug)]
pub struct Sockets {
    monitor: UnixListener,
    agent: UnixListener,
}

impl Sockets {
    /// Binds `qmp` and `agent` in `dir`.
    ///
    /// # Errors
    /// When the paths are too long for a socket, or can't be bound.
    pub fn bind(dir: &Utf8Path) -> Result<Self> {
        Ok(Self {
            monitor: listen(&dir.join("qmp"))?,
            agent: listen(&dir.join("agent"))?,
        })
    }

    /// Waits for QEMU's calls: monitor and agent.
    ///
    /// # Errors
    /// When it does not call within 60 s.
    pub async fn accept(&self) -> Result<(UnixStream, UnixStream)> {
        let both = async {
            let (monitor, _) = self.monitor.accept().await?;
            let (agent, _) = self.agent.accept().await?;
            Ok((monitor, agent))
        };
        tokio::time::timeout(Duration::from_secs(60), both)
            .await
            .map_err(|_| Error::Qemu("did not open its sockets within 60 s".into()))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_path_too_long_is_refused_by_name() {
        let long = Utf8Path::new("/tmp").join("x".repeat(120));
        let error = Sockets::bind(&long).unwrap_err();
        assert!(
            error.to_string().contains("longer than 100 bytes"),
            "{error}"
        );
    }
}
