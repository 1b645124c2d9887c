//! Counters in front of a host's packet filters and behind them: what counts is what gets past, not
//! how the filters are written.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Deserialize;
use spawnlab::prelude::*;

/// Kinds of packets: a name, and what nftables matches them by.
pub type Kinds<'k> = [(&'k str, &'k str)];

/// What was counted of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Packets that came.
    pub came: u64,
    /// Those of them that got past all filters to the host itself.
    pub past: u64,
}

/// How often packets are sent before they count as lost on the way.
const TRIES: u32 = 5;

/// A pair of counters for each kind of packets that come over one interface.
#[derive(Debug)]
pub struct PacketCounters<'h> {
    host: &'h Host,
}

impl<'h> PacketCounters<'h> {
    /// Counts what comes over `interface` from here on.
    ///
    /// # Errors
    /// When nft refuses it.
    pub async fn put(host: &'h Host, interface: &str, kinds: &Kinds<'_>) -> Result<Self> {
        let (mut counters, mut before, mut behind) = (String::new(), String::new(), String::new());
        for (name, packets) in kinds {
            let _ = writeln!(
                counters,
                "counter {name}-came {{ }}\ncounter {name}-past {{ }}"
            );
            let _ = writeln!(
                before,
                "iifname {interface} {packets} counter name {name}-came"
            );
            let _ = writeln!(
                behind,
                "iifname {interface} {packets} counter name {name}-past"
            );
        }
        let rules = format!(
            "table inet lab_gate\ndelete table inet lab_gate\ntable inet lab_gate {{\n{counters}\
             chain before {{\ntype filter hook prerouting priority -450;\n{before}}}\n\
             chain behind {{\ntype filter hook input priority 450;\n{behind}}}\n}}\n"
        );
        host.succeed(&format!("nft -f - <<'END'\n{rules}END"))
            .await?;
        Ok(Self { host })
    }

    /// The counts so far, by kind.
    ///
    /// # Errors
    /// When the counters are gone.
    pub async fn counts(&self) -> Result<BTreeMap<String, Count>> {
        let json = self
            .host
            .succeed("nft -j list counters table inet lab_gate")
            .await?;
        read(&json)
    }

    /// Has `send` send packets, a few times if need be, until one of each kind came: what never came can't
    /// have been refused. Returns the kinds of which something got past, in alphabetical order.
    ///
    /// # Errors
    /// A failure of the assertion `the packets arrive`, with what came.
    pub async fn let_through<F>(
        &self,
        mut send: impl FnMut() -> F,
    ) -> Result<Vec<String>, ScenarioError>
    where
        F: Future<Output = Result<()>>,
    {
        let mut counts = BTreeMap::new();
        for _ in 0..TRIES {
            Box::pin(send()).await?;
            counts = Box::pin(self.counts()).await?;
            if counts.values().all(|count| count.came > 0) {
                break;
            }
        }
        expect("the packets arrive").that(
            counts.values().all(|count| count.came > 0),
            "one of each kind",
            format_args!("{counts:?}"),
        )?;
        let past = counts.into_iter().filter(|(_, count)| count.past > 0);
        Ok(past.map(|(kind, _)| kind).collect())
    }
}

#[derive(Deserialize)]
struct Listing {
    nftables: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    counter: Option<Counter>,
}

#[derive(Deserialize)]
struct Counter {
    name: String,
    packets: u64,
}

fn read(json: &str) -> Result<BTreeMap<String, Count>> {
    let listing: Listing =
        serde_json::from_str(json).map_err(|error| Error::answer("nft", error))?;
    let mut counts = BTreeMap::<String, Count>::new();
    for counter in listing.nftables.into_iter().filter_map(|it| it.counter) {
        if let Some(kind) = counter.name.strip_suffix("-came") {
            counts.entry(kind.to_owned()).or_default().came = counter.packets;
        } else if let Some(kind) = counter.name.strip_suffix("-past") {
            counts.entry(kind.to_owned()).or_default().past = counter.packets;
        }
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_counters_are_read_by_kind() {
        let json = r#"{"nftables": [{"metainfo": {"version": "1.1.3", "json_schema_version": 1}},
            {"counter": {"family": "inet", "name": "udp-67-came", "table": "lab_gate", "handle": 1, "packets": 3, "bytes": 900}},
            {"counter": {"family": "inet", "name": "udp-67-past", "table": "lab_gate", "handle": 2, "packets": 1, "bytes": 300}},
            {"counter": {"family": "inet", "name": "ssh-came", "table": "lab_gate", "handle": 3, "packets": 0, "bytes": 0}}]}"#;
        let counts = read(json).expect("read");
        assert_eq!(counts["udp-67"], Count { came: 3, past: 1 });
        assert_eq!(counts["ssh"], Count::default());
        assert!(read("no JSON").is_err());
    }
}
