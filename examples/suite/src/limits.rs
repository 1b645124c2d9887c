//! What the declaration of the container bounds.

use spawnlab::prelude::*;

/// The container has no more processes than its declaration allows.
#[scenario(on = Deployed)]
#[saboteur("bound-is-lifted", fails = "the kernel's bound", spares = "page::is_served_by_name" =>
    "systemctl set-property --runtime systemd-nspawn@page.service TasksMax=infinity")]
async fn processes_are_bounded(lab: &Lab) -> Outcome {
    let group = lab
        .host()
        .succeed("systemctl show -p ControlGroup --value systemd-nspawn@page")
        .await?;
    let bound = format!("cat /sys/fs/cgroup{}/pids.max", group.trim());
    expect("the kernel's bound").equal(lab.host().succeed(&bound).await?.trim(), "200")
}
