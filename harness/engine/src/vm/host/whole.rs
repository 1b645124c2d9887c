//! Saving a stopped host whole, from which it can go on running.

use std::time::Duration;

use camino::Utf8Path;
use serde_json::json;

use super::{Host, SavedState};
use crate::util::{
    error::{Error, Result},
    poll::{self, Seen},
};

/// QEMU's name of the root disk.
const ROOT: &str = "disk0";
/// What the copy of the disk is called in QEMU while it is written.
const COPY: &str = "kept";

impl Host {
    /// Writes devices and memory of a stopped machine to `state`, and what it has written to its disk into `disk`, an
    /// empty overlay over the same layer.
    ///
    /// # Errors
    /// When QEMU can't save it within `limit`.
    pub(crate) async fn save_whole(
        &self,
        state: &Utf8Path,
        disk: &Utf8Path,
        limit: Duration,
    ) -> Result<()> {
        let copied = self.copy_disk(disk, limit);
        self.machine.alive(copied).await?;
        self.save(state, SavedState::WithMemory, limit).await
    }

    /// Copies the topmost image of the root disk: what this clone has written.
    async fn copy_disk(&self, disk: &Utf8Path, limit: Duration) -> Result<()> {
        let monitor = self.machine.monitor();
        let target = json!({
            "driver": "qcow2", "node-name": COPY, "backing": null,
            "file": { "driver": "file", "filename": disk },
        });
        monitor.run("blockdev-add", target).await?;
        let copying = json!({
            "job-id": COPY, "device": ROOT, "target": COPY, "sync": "top", "auto-dismiss": false,
        });
        monitor.run("blockdev-backup", copying).await?;
        poll::until(
            "the disk to be copied",
            limit,
            Duration::from_millis(20),
            || async {
                let jobs = monitor.run("query-jobs", serde_json::Value::Null).await?;
                let jobs = jobs.as_array().map(Vec::as_slice).unwrap_or_default();
                let copying = jobs.iter().find(|copying| copying["id"] == COPY);
                let copying = copying
                    .ok_or_else(|| Error::Monitor("the copying of a disk is lost".into()))?;
                match (copying["status"].as_str(), copying["error"].as_str()) {
                    (_, Some(error)) => Err(Error::Monitor(format!("copying the disk: {error}"))),
                    (Some("concluded"), None) => Ok(Seen::Ready(())),
                    (status, None) => Ok(Seen::NotYet(status.unwrap_or("no status").to_owned())),
                }
            },
        )
        .await?;
        monitor.run("job-dismiss", json!({ "id": COPY })).await?;
        let node = json!({ "node-name": COPY });
        monitor.run("blockdev-del", node).await.map(drop)
    }
}
