//! What a scenario leaves behind besides console, QEMU's words and the commands.

use std::time::{Duration, UNIX_EPOCH};

use camino::Utf8Path;

use crate::{
    util::error::{Error, Result},
    vm::{
        host::Host,
        journal::{self, JournalEntry},
        qemu::agent::Output,
    },
};

/// The journals of the host and its guests since the clone came to life, as text.
pub const JOURNAL: &str = "journal.txt";

/// What the layer's journal had before.
const BEFORE: &str = "journal-before.txt";

/// Reads every journal of the host and its guests, in one program's start: links that lead from one's
/// folder to another's are passed over, and what a running guest has not yet put on its disk is found
/// below its first process. Guests that were stopped are read, too.
const READ: &str = r#"
# A machine of a lab that has several was another one before it was resumed.
for file in /etc/machine-id /var/lib/spawnlab-machine-id; do
    if [ -e $file ]; then read -r id <$file && echo "$id host"; fi
done
set -- --since "$since" -n "$most" --no-pager --quiet -o json --output-fields "$fields"
add() {
    folder=${1%/*}
    if [ -e "$1" ] && [ ! -L "$folder" ]; then
        [ -z "$name" ] || echo "${folder##*/} $name"
        return 0
    fi
    return 1
}
name=
for file in /var/log/journal/*/*.journal /run/log/journal/*/*.journal; do
    if add "$file"; then set -- "$@" --file "$file"; fi
done
for file in /var/lib/machines/*/var/log/journal/*/*.journal; do
    name=${file#/var/lib/machines/} name=${name%%/*}
    if add "$file"; then set -- "$@" --file "$file"; fi
done
for group in /sys/fs/cgroup/*.slice/systemd-nspawn@*.service/payload/init.scope/cgroup.procs; do
    [ -e "$group" ] && read -r leader <"$group" || continue
    name=${group#*/systemd-nspawn@} name=${name%%.service/*}
    for file in /proc/$leader/root/run/log/journal/*/*.journal; do
        if add "$file"; then set -- "$@" --file "$file"; fi
    done
done
exec journalctl "$@"
"#;

/// What is asked of a host whose scenario did not pass.
const ON_FAILURE: [(&str, &str); 4] = [
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

/// Reads the journals of `host` and its guests since it came to life, and keeps them as [`JOURNAL`]. Returns the
/// records, and what is missing in them, a sentence each.
///
/// What was logged in the last moments may not have reached a journal yet; a scenario that is about it
/// waits for it.
///
/// # Errors
/// When the host can't be asked, or has no journal to read.
pub async fn journal(host: &Host) -> Result<(Vec<JournalEntry>, Vec<String>)> {
    let script = format!(
        "since={} most={} fields={}\n{READ}",
        since(host),
        journal::MOST,
        journal::FIELDS
    );
    let output = ask(host, &script).await?;
    if !output.status.success() {
        let said = format!("{}: {}", output.status, output.stderr.trim());
        return Err(Error::answer("journalctl", said));
    }
    let entries = journal::parse(&output.stdout);
    let missing = journal::missing(&entries, &output.notes);
    let text = journal::render(&entries, &missing);
    fs_err::write(host.evidence().join(JOURNAL), text)?;
    Ok((entries, missing))
}

/// As journalctl takes it. A host that was not resumed from anything is looked at from its beginning.
fn since(host: &Host) -> String {
    let born = host
        .born()
        .and_then(|born| born.duration_since(UNIX_EPOCH).ok());
    let born = born.unwrap_or_default();
    format!("@{}.{:06}", born.as_secs(), born.subsec_micros())
}

/// Collects into the evidence folder of `host` what helps to understand why its scenario did not
/// pass. What can't be collected is left out: the verdict has been given already.
pub async fn collect(host: &Host) {
    let before = format!(
        "journalctl -o short-precise --no-pager -n 1000 --until {}",
        since(host)
    );
    let wanted = ON_FAILURE.iter().map(|(file, script)| (*file, *script));
    for (file, script) in wanted.chain([(BEFORE, before.as_str())]) {
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
    let output = ask(host, script).await?;
    let path: &Utf8Path = &host.evidence().join(file);
    Ok(fs_err::write(path, output.stdout + &output.stderr)?)
}

async fn ask(host: &Host, script: &str) -> Result<Output> {
    host.machine()
        .agent()
        .shell(script, b"", host.limit(Duration::from_secs(15)))
        .await
}
