//! When a host has nothing left to do, seen from outside: a guest that watched itself would be what is busy.

use std::{
    future::ready,
    time::{Duration, Instant},
};

use super::{Host, PACE};
use crate::{
    util::{
        error::{Error, Result},
        poll::{self, Seen},
    },
    vm::slots,
};

/// Daemons put off what they have to do by one to three seconds: journald its sync, udev the end of
/// its workers, networkd its first announcements.
const QUIET: Duration = Duration::from_secs(3);
/// Longer is not waited for, on any machine: a host may never come to rest.
const LONGEST: Duration = Duration::from_secs(20);
/// One tick of the kernel's clock is what an idle QEMU may use between two looks.
const IDLE_TICKS: u64 = 1;

impl Host {
    /// Waits until its QEMU has used next to no processor time for three seconds, at most 20 s.
    ///
    /// # Errors
    /// When QEMU has ended. A host that never comes to rest is no error.
    pub(super) async fn rest(&self) -> Result<()> {
        let stat = format!("/proc/{}/stat", self.machine.pid());
        let used = || {
            let text = fs_err::read_to_string(&stat)?;
            ticks(&text).ok_or_else(|| Error::answer("what QEMU has used", text))
        };
        let mut before = used()?;
        let mut quiet = Instant::now();
        let mut look = || {
            let now = used()?;
            if now - before > IDLE_TICKS {
                quiet = Instant::now();
            }
            before = now;
            Ok(if quiet.elapsed() >= QUIET {
                Seen::Ready(())
            } else {
                Seen::NotYet(format!("{now} ticks used"))
            })
        };
        let rest = poll::until("a host at rest", LONGEST, PACE, || ready(look()));
        match self.machine.alive(rest).await {
            Err(Error::Timeout(timeout)) => {
                tracing::warn!(%timeout, "saved all the same");
                Ok(())
            }
            other => other,
        }
    }
}

/// The processor time in a `/proc/PID/stat`, in ticks: of the guest, and of QEMU for it.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = slots::fields(stat)?.skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::ticks;

    #[test]
    fn adds_up_what_the_kernel_counts() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 41 1 900 900 20 0 3 0 8 1 1";
        assert_eq!(ticks(stat), Some(42));
        assert_eq!(ticks("7 (a) S 1"), None);
    }

    #[test]
    fn reads_what_this_kernel_says() {
        let own = std::fs::read_to_string("/proc/self/stat").unwrap();
        assert!(ticks(&own).is_some(), "{own}");
    }
}
