//! Which firewall rule a packet ran into: the one that counts more than before.

use std::collections::BTreeMap;

use super::facts::Facts;

/// The table that counts requests for a lease while `gather.sh` looks; its rules refuse nothing.
const OURS: &str = "inet spawnlab_walk";

/// Of one ruleset, by table, chain and handle.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ruleset {
    rules: BTreeMap<(String, String, String), Rule>,
    /// Chains that refuse what no rule of theirs accepts: table, chain, hook.
    closed: Vec<(String, String, String)>,
    /// Packets of the counters that have names.
    counters: BTreeMap<(String, String), u64>,
}

#[derive(Debug, PartialEq, Eq)]
struct Rule {
    text: String,
    packets: Option<u64>,
    counter: Option<String>,
}

/// What the listings `before` and `after` of the facts tell of a packet that went between them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Refused {
    /// The rules that refused something and counted it, each as one line.
    pub(super) counted: Vec<String>,
    /// The chains at the hook that refuse what none of their rules accepts; they count nothing.
    pub(super) closed: Vec<String>,
}

/// Compares two listings of the facts; `hook` is where the packet would have been refused.
pub(super) fn refused(facts: &Facts, before: &str, after: &str, hook: &str) -> Refused {
    let listing = |name: &str| facts.said(name).map(read).unwrap_or_default();
    between(&listing(before), &listing(after), hook)
}

impl Refused {
    /// The rules that counted, or where there are none, the closed chains; `of` is whose they are.
    pub(super) fn words(self, of: &str) -> Vec<String> {
        let lines = if self.counted.is_empty() {
            self.closed
        } else {
            self.counted
        };
        lines
            .into_iter()
            .map(|line| format!("{of}'s {line}"))
            .collect()
    }
}

fn between(before: &Ruleset, after: &Ruleset, hook: &str) -> Refused {
    let packets = |ruleset: &Ruleset, key: &(String, String, String)| {
        let rule = ruleset.rules.get(key)?;
        match &rule.counter {
            Some(name) => {
                let key = (key.0.clone(), name.clone());
                ruleset.counters.get(&key).copied()
            }
            None => rule.packets,
        }
    };
    let refuses = |rule: &Rule| {
        let mut words = rule.text.split_whitespace();
        words.any(|word| matches!(word, "drop" | "reject"))
    };
    let mut refused = Refused::default();
    for (key, rule) in &after.rules {
        let (table, chain, _) = key;
        let now = packets(after, key).unwrap_or(0);
        let then = packets(before, key).unwrap_or(0);
        if now > then && table != OURS && refuses(rule) {
            refused.counted.push(format!(
                "table {table}, chain {chain}: {} (counter {then}, then {now})",
                rule.text
            ));
        }
    }
    let closed = after.closed.iter().filter(|closed| closed.2 == hook);
    refused.closed.extend(closed.map(|(table, chain, hook)| {
        format!("table {table}, chain {chain}: drops at {hook} what no rule accepts")
    }));
    refused
}

/// Reads `nft -a list ruleset`.
fn read(text: &str) -> Ruleset {
    let mut ruleset = Ruleset::default();
    let (mut table, mut block) = (String::new(), String::new());
    for line in text.lines() {
        let (words, handle) = match line.rsplit_once(" # handle ") {
            Some((words, handle)) => (words.trim(), handle.trim()),
            None => (line.trim(), ""),
        };
        let opened = words.strip_suffix('{').map(str::trim);
        if let Some(name) = opened.and_then(|line| line.strip_prefix("table ")) {
            name.clone_into(&mut table);
        } else if let Some(inner) = opened.filter(|_| block.is_empty()) {
            inner.clone_into(&mut block);
        } else if words == "}" {
            block.clear();
        } else if let Some(name) = block.strip_prefix("counter ") {
            if let Some(packets) = number_after(words, "packets") {
                ruleset
                    .counters
                    .insert((table.clone(), name.to_owned()), packets);
            }
        } else if let Some(chain) = block.strip_prefix("chain ") {
            if words.starts_with("type ") {
                if words.contains("policy drop") {
                    let hook = words.split_whitespace().skip_while(|word| *word != "hook");
                    let hook = hook.clone().nth(1).unwrap_or_default();
                    let closed = (table.clone(), chain.to_owned(), hook.to_owned());
                    ruleset.closed.push(closed);
                }
            } else if !handle.is_empty() {
                let counter = words.split("counter name ").nth(1);
                let counter = counter.and_then(|rest| rest.split_whitespace().next());
                let rule = Rule {
                    text: without_counts(words),
                    packets: number_after(words, "packets"),
                    counter: counter.map(|name| name.trim_matches('"').to_owned()),
                };
                let key = (table.clone(), chain.to_owned(), handle.to_owned());
                ruleset.rules.insert(key, rule);
            }
        }
    }
    ruleset
}

fn number_after(words: &str, word: &str) -> Option<u64> {
    let mut words = words.split_whitespace();
    words.find(|found| *found == word)?;
    words.next()?.parse().ok()
}

/// The rule without its counts, which are told apart from it.
fn without_counts(words: &str) -> String {
    let mut kept = vec![];
    let mut words = words.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "packets" | "bytes" => drop(words.next()),
            word => kept.push(word),
        }
    }
    kept.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"table inet nixos-fw { # handle 3
	counter refused { # handle 9
		packets 4 bytes 1312
	}

	set ports { # handle 2
		type inet_service
		elements = { 22, 80 }
	}

	chain input { # handle 1
		type filter hook input priority filter; policy drop;
		iifname "lo" accept # handle 4
		iifname "ve-*" udp dport 67 counter name "refused" drop # handle 5
	}
}
# Warning: table ip filter is managed by iptables-nft, do not touch!
table ip filter { # handle 4
	chain INPUT { # handle 1
		type filter hook input priority filter; policy accept;
		meta l4proto udp udp dport 67 counter packets 7 bytes 2296 drop # handle 2
	}
}"#;

    fn told(before: &str, after: &str) -> Vec<String> {
        between(&read(before), &read(after), "input").words("host")
    }

    #[test]
    fn the_rule_whose_counter_grew_is_the_one() {
        insta::assert_snapshot!(told(RULES, &RULES.replace("packets 7", "packets 9")).join("\n"), @"host's table ip filter, chain INPUT: meta l4proto udp udp dport 67 counter drop (counter 7, then 9)");
        insta::assert_snapshot!(told(RULES, &RULES.replace("packets 4", "packets 5")).join("\n"), @r#"host's table inet nixos-fw, chain input: iifname "ve-*" udp dport 67 counter name "refused" drop (counter 4, then 5)"#);
    }

    #[test]
    fn without_a_count_the_closed_chains_are_named() {
        insta::assert_snapshot!(told(RULES, RULES).join("\n"), @"host's table inet nixos-fw, chain input: drops at input what no rule accepts");
        assert!(told("", "").is_empty());
        assert!(told("rubbish { {", "}\n}\nchain").is_empty());
    }
}
