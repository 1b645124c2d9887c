//! The benchmark: what is measured, how, and how it is shown.

pub(crate) mod lab;
pub(crate) mod measure;
pub(crate) mod network;
pub(crate) mod soak;
pub(crate) mod stats;
pub(crate) mod suite;
pub(crate) mod table;

/// What is measured: name, unit, and what it is.
pub(crate) const METRICS: [(&str, &str, &str); 23] = [
    (
        "bare-start",
        "ms",
        "QEMU with a clone's command line, to its greeting",
    ),
    ("boot-agent", "ms", "cold boot, to the first answer"),
    ("boot-running", "ms", "cold boot, until systemd is done"),
    (
        "layer-quiet",
        "ms",
        "coming to rest before a layer is saved",
    ),
    ("layer-save", "ms", "writing a layer's state"),
    ("clone", "ms", "clone to first successful command"),
    (
        "clone-beyond",
        "ms",
        "the same beyond a bare start just before",
    ),
    ("command-host", "ms", "command round trip, host"),
    ("command-container", "ms", "command round trip, container"),
    ("memory", "MiB", "private memory of a clone after that"),
    ("deploy-first", "ms", "first deploy of a container"),
    ("deploy-again", "ms", "deploying another generation into it"),
    (
        "lab",
        "ms",
        "a lab of two machines, clone to the first command that crosses its network",
    ),
    (
        "bulk",
        "MB/s",
        "bulk from one machine of a lab to the other, over TCP",
    ),
    ("bulk-recorded", "MB/s", "the same, recorded"),
    (
        "recording",
        "%",
        "how much longer the recorded transfer takes",
    ),
    (
        "switch-rate",
        "MB/s",
        "bulk through a network's switch, plain sockets at both ends",
    ),
    ("switch-rate-recorded", "MB/s", "the same, recorded"),
    (
        "switch-cpu",
        "ms/MB",
        "processor time of that, both ends included",
    ),
    ("switch-cpu-recorded", "ms/MB", "the same, recorded"),
    (
        "switch-delay",
        "µs",
        "a frame's way through a switch, beyond that through a socket",
    ),
    ("suite-cold", "ms", "all scenarios, no layers yet"),
    ("suite-warm", "ms", "all scenarios, layers kept"),
];

/// All names.
pub(crate) fn names(between: &str) -> String {
    METRICS
        .map(|(name, _, what)| format!("{name:<18} {what}"))
        .join(between)
}

/// `name`, if there is such a thing to measure without `--suite`.
pub(crate) fn known(name: &str) -> Result<String, String> {
    if name.starts_with("suite-") {
        return Err("it is measured with --suite".into());
    }
    match METRICS.iter().any(|(known, ..)| *known == name) {
        true => Ok(name.to_owned()),
        false => Err("nothing of that name is measured; --help lists the names".into()),
    }
}
