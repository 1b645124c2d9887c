//! What a scenario leaves behind besides console, QEMU's words and the commands.

use std::time::Duration;

use camino::Utf8Path;

use crate::{error::Result, host::Host};

/// What is asked of every host, on pass too: the journal since the clone came to life.
const ALWAYS: (&str, &str) = (
    "journal.txt",
    "journalctl -b -o short-precise --no-pager -n 300",
);

/// What is asked of a host whose scenario did not pass.
const ON_FAILURE: [(&str, &str); 5] = [
    (
        "journal.txt",
        "journalctl -b -o short-precise --no-pager -n 5000",
    ),
    (
        "units.txt",
        "systemctl --no-pager --all --failed; systemctl --no-pager list-jobs; systemctl --no-pager list-units 'systemd-nspawn@*'",
    ),
    (
        "network.txt",
        "ip -d address; ip route; networkctl --no-pager --all status; machinectl --no-pager list; getent hosts web",
    ),
    (
        "firewall.txt",
        "nft list ruleset; iptables-save -c; ip6tables-save -c",
    ),
    (
        "containers.txt",
        "for name in $(machinectl list --no-legend --no-pager | cut -d' ' -f1); do echo \"== $name\"; \
         machinectl --no-pager status $name; journalctl -M $name -o short-precise --no-pager -n 1000; done; \
         ls -l /nix/var/nix/profiles/per-container/*/",
    ),
];

/// Collects into the evidence folder of `host`. What can't be collected is left out: the verdict
/// has been given already.
pub async fn collect(host: &Host, passed: bool) {
    let wanted: &[(&str, &str)] = if passed { &[ALWAYS] } else { &ON_FAILURE };
    for (file, script) in wanted {
        if let Err(error) = keep(host, file, script).await {
            tracing::warn!(%error, file, "evidence is missing");
            // A host that does not answer once will not answer at all.
            return;
        }
    }
}

/// Keeps what `script` prints as `file`, if the host still answers.
pub(crate) async fn keep_or_warn(host: &Host, file: &str, script: &str) {
    if let Err(error) = keep(host, file, script).await {
        tracing::warn!(%error, file, "evidence is missing");
    }
}

async fn keep(host: &Host, file: &str, script: &str) -> Result<()> {
    let output = host
        .machine()
        .agent()
        .shell(script, b"", host.limit(Duration::from_secs(15)))
        .await?;
    let path: &Utf8Path = &host.evidence().join(file);
    Ok(fs_err::write(path, output.stdout + &output.stderr)?)
}
