//! A host's ways into life and out of it: reboot, being saved, being resumed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use camino::Utf8Path;

use super::{BOOT, COMMAND, Host, PACE, SavedState};
use crate::{
    util::{
        error::{Error, Result},
        poll::{self, Seen},
    },
    vm::{container::quote, qemu::agent::PATH, verbs::Verbs},
};

/// A file in memory that a resumed host has and a rebooted one has not.
const NONCE: &str = "/run/spawnlab-layer";

/// How long the answer to a command that may end what answers it is waited for.
const LAST_ANSWER: Duration = Duration::from_secs(5);

impl Host {
    /// Reboots it and waits for the agent of the new boot.
    ///
    /// # Errors
    /// When it does not come back in time, or comes back without having rebooted.
    pub async fn reboot(&self) -> Result<()> {
        let before = self.boot_id().await?;
        self.execute_unanswered("systemctl reboot --no-block").await;
        let what = "a new boot id";
        poll::until(what, self.limit(BOOT), PACE, || async {
            self.machine.agent().forget();
            match tokio::time::timeout(Duration::from_secs(5), self.boot_id()).await {
                Ok(Ok(now)) if now != before => Ok(Seen::Ready(())),
                Ok(Ok(_)) => Ok(Seen::NotYet("the old one".into())),
                Ok(Err(error)) => Ok(Seen::NotYet(error.to_string())),
                Err(_) => Ok(Seen::NotYet("no answer".into())),
            }
        })
        .await
    }

    /// Starts what ends the agent that would answer, as a reboot does: the answer may be lost, and what came of the
    /// command is for the caller to find out.
    async fn execute_unanswered(&self, script: &str) {
        let _ = tokio::time::timeout(LAST_ANSWER, self.execute(script)).await;
    }

    /// Mounts the lab's own disk after a boot: the lab mounts it by hand, so no boot does.
    ///
    /// # Errors
    /// When the disk does not come, or can't be mounted.
    pub async fn mount_lab_disk(&self) -> Result<()> {
        self.succeed(
            "set -e; disk=/dev/disk/by-id/virtio-lab; udevadm wait --timeout=60 $disk; mkdir -p /lab; mount -o ro $disk /lab",
        )
        .await?;
        Ok(())
    }

    /// Puts `program`, the lab's own agent, in the place of qemu-ga: it answers faster. When it
    /// ends, or can't run here, qemu-ga is started again.
    ///
    /// While it serves, the event by which QEMU's `vmgenid` tells the guest that it is a clone is kept
    /// from the kernel: the agent gives each clone its random numbers itself, at a fifth of the cost.
    ///
    /// # Errors
    /// When neither agent answers afterwards.
    pub async fn take_agent(&self, program: &str, port: &str) -> Result<()> {
        // One by one: systemctl of systemd 262 stops none of several if one of them does not exist.
        let others = |verb: &str| {
            ["spawnlab-agent.service", "qemu-guest-agent.service"]
                .map(|unit| format!("systemctl -q {verb} {unit}"))
                .join("; ")
        };
        // The number is QEMU's (`hw/acpi/vmgenid.c`); a host without the file reseeds twice.
        const EVENT: &str = "/sys/firmware/acpi/interrupts/gpe05";
        let serve = format!(
            "{}; echo mask >{EVENT}; {program} {port}; echo unmask >{EVENT}; {}",
            others("stop"),
            others("start")
        );
        // A unit of NixOS' has a PATH without systemctl.
        let start = format!(
            "systemd-run --quiet --no-block --collect --unit=lab-agent -p OOMScoreAdjust=-900 --setenv={PATH} -- /bin/sh -c {}",
            quote(&serve)
        );
        self.execute_unanswered(&start).await;
        let own = self
            .machine
            .agent()
            .wait_for_own(self.limit(Duration::from_secs(10)));
        match self.machine.alive(own).await {
            Err(Error::Timeout(timeout)) => {
                tracing::warn!(%timeout, "the lab's own agent does not run here");
                self.wait_for_boot().await
            }
            other => other,
        }
    }

    /// The kernel's boot id.
    ///
    /// # Errors
    /// As [`Self::succeed`].
    pub async fn boot_id(&self) -> Result<String> {
        let id = self.succeed("cat /proc/sys/kernel/random/boot_id").await?;
        Ok(id.trim().to_owned())
    }

    /// Loads `state` into a machine that waits for it, lets it run, and sets its clock.
    ///
    /// # Errors
    /// When QEMU refuses the state, or the host is not the one that was [marked](Self::mark) with `key`.
    pub(crate) async fn resume(
        &self,
        state: &Utf8Path,
        holds: SavedState,
        key: &str,
    ) -> Result<()> {
        self.load(state, holds).await?;
        self.go_on().await?;
        self.awake(key).await
    }

    /// Loads `state` into a machine that waits for it. It stands still.
    ///
    /// # Errors
    /// When QEMU refuses the state.
    pub(crate) async fn load(&self, state: &Utf8Path, holds: SavedState) -> Result<()> {
        let monitor = self.machine.monitor();
        let load = async {
            monitor
                .ignore_shared_memory(holds == SavedState::WithoutMemory)
                .await?;
            monitor
                .load_from(state.as_str(), Duration::from_secs(60))
                .await
        };
        self.machine.alive(load).await
    }

    /// Stops its processors.
    ///
    /// # Errors
    /// When QEMU does not.
    pub(crate) async fn stop(&self) -> Result<()> {
        self.machine.alive(self.machine.monitor().stop()).await
    }

    /// Lets its processors run.
    ///
    /// # Errors
    /// When QEMU does not.
    pub(crate) async fn go_on(&self) -> Result<()> {
        self.machine.alive(self.machine.monitor().cont()).await
    }

    /// Sets the clock of a machine that was loaded and runs by now.
    ///
    /// # Errors
    /// When it does not answer, or is not the one that was [marked](Self::mark) with `key`.
    pub(crate) async fn awake(&self, key: &str) -> Result<()> {
        let born = SystemTime::now();
        let now = born.duration_since(UNIX_EPOCH).unwrap_or_default();
        let _ = self.born.set(born);
        let resumed = self
            .machine
            .agent()
            .resumed(now, NONCE, self.limit(COMMAND));
        let nonce = self.machine.alive(resumed).await?;
        if nonce.trim() != key {
            return Err(Error::Layer {
                name: key.chars().take(12).collect(),
                why: format!("the resumed host says it is `{}`", nonce.trim()),
            });
        }
        Ok(())
    }

    /// Leaves the mark in memory that [`Self::resume`] looks for, and waits until the host has
    /// nothing left to do: whatever it is in the middle of when it is saved, every clone of it
    /// would have to do again before anything else.
    ///
    /// # Errors
    /// As [`Verbs::succeed`]. A host that never comes to rest is no error.
    pub(crate) async fn mark(&self, key: &str) -> Result<()> {
        // The key comes as input: a command with input leaves alone the shell that the lab's own agent
        // has waiting, and clones find it there.
        let script = format!("cat >{NONCE} && sync");
        let marked = self.execute_with(&script, key.as_bytes(), COMMAND).await?;
        self.succeeded(&script, marked)?;
        self.rest().await
    }

    /// Writes the state to `state`; the machine is stopped afterwards.
    ///
    /// # Errors
    /// When QEMU can't save it.
    pub(crate) async fn save(
        &self,
        state: &Utf8Path,
        holds: SavedState,
        limit: Duration,
    ) -> Result<()> {
        let monitor = self.machine.monitor();
        let save = async {
            monitor.stop().await?;
            monitor
                .ignore_shared_memory(holds == SavedState::WithoutMemory)
                .await?;
            monitor.save_to(state.as_str(), limit).await
        };
        self.machine.alive(save).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::vm::qemu::{
        args::Accel,
        scripted::{Reply, Script},
    };

    /// An agent that goes down before it has answered cost the two minutes that a command may take.
    #[tokio::test]
    async fn a_reboot_whose_answer_is_lost_in_it_is_noticed_by_the_new_boot_id() {
        let folder = tempfile::tempdir().unwrap();
        let evidence = Utf8Path::from_path(folder.path()).unwrap();
        let script = Arc::new(Script::default());
        script.reply("boot_id", Reply::Ends(0, "the old boot".into()));
        script.reply("systemctl reboot", Reply::Hangs);
        let machine = script.machine(None, evidence).await.unwrap();
        let host = Host::new(machine, Accel::Tcg, evidence).unwrap();
        tokio::time::pause();
        let comes_up = async {
            while script.count("systemctl reboot") == 0 {
                tokio::time::sleep(PACE).await;
            }
            script.reply("boot_id", Reply::Ends(0, "the new boot".into()));
        };
        let (rebooted, ()) = tokio::join!(tokio::time::timeout(COMMAND, host.reboot()), comes_up);
        rebooted.expect("no answer is waited for").unwrap();
    }
}
