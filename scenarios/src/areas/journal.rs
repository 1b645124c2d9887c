//! The guest's log, read from the host.

use serde::Deserialize;
use spawnlab::prelude::*;

use crate::nonce::nonce;

/// A journal record's fields, by their names.
#[derive(Debug, Deserialize)]
struct Record {
    // An array of bytes where it is not text.
    #[serde(rename = "MESSAGE")]
    message: serde_json::Value,
    #[serde(rename = "_MACHINE_ID")]
    machine: String,
    #[serde(rename = "_BOOT_ID")]
    boot: String,
    #[serde(rename = "_SYSTEMD_UNIT")]
    from: Option<String>,
    // What a service manager's record is about.
    #[serde(rename = "UNIT")]
    about: Option<String>,
}

/// What is logged in the guest is read on the host with `journalctl -M`, with the guest's machine id and its
/// boot's, and nothing of the host (<https://github.com/systemd/systemd/issues/38611>).
#[scenario(on = Deployed)]
#[saboteur("guest-keeps-no-log", fails = "the logged line", spares = "names::http_by_name" =>
    in_guest("web", file("/run/systemd/journald.conf.d/sabotage.conf", "[Journal]\nStorage=none")),
    in_guest("web", script("systemctl restart systemd-journald")))]
#[saboteur("hosts-log-among-the-guests", fails = "the machine that logged",
    spares = "journal::one_unit_is_read_alone" =>
    "guest=$(/lab/tools/in-guest web 'cat /etc/machine-id')
     journalctl --sync
     cp /var/log/journal/$(cat /etc/machine-id)/system.journal /var/log/journal/$guest/other.journal")]
async fn guests_log_is_read_from_the_host(lab: &Lab) -> Outcome {
    let host = lab.host();
    let (nonce, foreign) = (nonce(), nonce());
    let log = format!(
        "echo {nonce} | systemd-cat; cat /etc/machine-id; tr -d - </proc/sys/kernel/random/boot_id"
    );
    let ids = host.container("web").succeed(&log).await?;
    let (guest, boot) = ids.split_once('\n').unwrap_or_default();
    host.succeed(&format!("echo {foreign} | systemd-cat"))
        .await?;
    let records = expect("the logged line")
        .eventually(lab.seconds(5), &nonce, || async {
            let records = journal(host, "-M web").await?;
            Ok(if has(&records, &nonce) {
                Seen::Ready(records)
            } else {
                Seen::NotYet(format!("{} records without it", records.len()))
            })
        })
        .await?;
    let others = records.iter().find(|record| record.machine != guest);
    expect("the machine that logged").that(
        others.is_none(),
        format_args!("records of {guest} only"),
        format_args!("{others:?}"),
    )?;
    let record = records.iter().find(|record| record.message == nonce);
    expect("the boot that logged").equal(record.map(|it| &*it.boot), Some(boot.trim()))?;
    expect("no line of the host").that(!has(&records, &foreign), "none", &foreign)
}

/// With `-u` only what belongs to that unit of the guest is shown.
#[scenario(on = Deployed)]
#[saboteur("unit-writes-elsewhere", fails = "the unit's line", spares = "journal::guests_log_is_read_from_the_host" =>
    in_guest("web", drop_in("spawnlab-one.service", "[Service]\nStandardOutput=null")))]
#[saboteur("filter-without-effect", fails = "nothing of other units",
    spares = "journal::guests_log_is_read_from_the_host" =>
    shim("journalctl", r#"for word; do shift; case $word in -u | *.service) ;; *) set -- "$@" "$word" ;; esac; done
        real "$@""#))]
async fn one_unit_is_read_alone(lab: &Lab) -> Outcome {
    const UNIT: &str = "spawnlab-one.service";
    let host = lab.host();
    let (nonce, foreign) = (nonce(), nonce());
    let run = "systemd-run -M web --quiet --wait --collect";
    host.succeed(&format!(
        "{run} --unit=spawnlab-other /bin/sh -c 'echo {foreign}'; {run} --unit={UNIT} /bin/sh -c 'echo {nonce}'"
    ))
    .await?;
    let records = expect("the unit's line")
        .eventually(lab.seconds(5), &nonce, || async {
            let records = journal(host, &format!("-M web -u {UNIT}")).await?;
            Ok(if has(&records, &nonce) {
                Seen::Ready(records)
            } else {
                Seen::NotYet(format!("{records:?}"))
            })
        })
        .await?;
    let other = records
        .iter()
        .find(|record| ![&record.from, &record.about].contains(&&Some(UNIT.to_owned())));
    expect("nothing of other units").that(other.is_none(), "none", format_args!("{other:?}"))
}

/// The log of a container that was stopped is still readable on the host.
#[scenario(on = Deployed)]
#[saboteur("link-to-the-journal-removed", fails = "the log after the stop",
    spares = "journal::guests_log_is_read_from_the_host" =>
    "find /var/log/journal -type l -delete")]
async fn log_of_a_stopped_container_is_readable(lab: &Lab) -> Outcome {
    let host = lab.host();
    let nonce = nonce();
    let log = format!("echo {nonce} | systemd-cat; cat /etc/machine-id");
    let guest = host.container("web").succeed(&log).await?;
    host.succeed("systemctl stop systemd-nspawn@web.service")
        .await?;
    let records = journal(host, &format!("--merge _MACHINE_ID={}", guest.trim())).await?;
    expect("the log after the stop").that(
        has(&records, &nonce),
        &nonce,
        format_args!("{} records of {} without it", records.len(), guest.trim()),
    )
}

fn has(records: &[Record], message: &str) -> bool {
    records.iter().any(|record| record.message == message)
}

/// What `journalctl` shows with `options`.
async fn journal(host: &Host, options: &str) -> Result<Vec<Record>> {
    let fields = "MESSAGE,_MACHINE_ID,_BOOT_ID,_SYSTEMD_UNIT,UNIT";
    let script = format!("journalctl --no-pager -o json --output-fields={fields} {options}");
    host.succeed(&script)
        .await?
        .lines()
        .map(|line| serde_json::from_str(line).map_err(|error| Error::answer("journalctl", error)))
        .collect()
}
