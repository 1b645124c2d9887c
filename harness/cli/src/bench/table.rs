//! The benchmark's table, which is Markdown, and its JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    METRICS,
    stats::{Samples, ratio, stats},
};

/// Version of the JSON format.
const FORMAT: u32 = 1;

/// The machine that was measured, by name.
pub(crate) type Machine = Vec<(&'static str, String)>;

/// What this machine is.
pub(crate) fn machine(accelerator: &str, qemu: &str) -> Machine {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown", |model| {
        model.trim_start_matches(['\t', ' ', ':'])
    });
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    vec![
        ("processors", processors.to_string()),
        ("cpu", model.to_owned()),
        ("accelerator", accelerator.to_owned()),
        ("qemu", qemu.to_owned()),
    ]
}

/// The table. A ratio is how many times as long the cold path takes.
pub(crate) fn table(machine: &Machine, samples: &Samples) -> String {
    let mut text = String::new();
    for (name, value) in machine {
        let _ = writeln!(text, "{name}: {value}");
    }
    text += "\n| measured | unit | median | min | max | n | cold path is |\n| --- | --- | ---: | ---: | ---: | ---: | ---: |\n";
    for (name, unit, what) in METRICS {
        let Some(found) = samples.get(name).and_then(|samples| stats(samples)) else {
            continue;
        };
        let ratio = ratio(samples, name).map_or("-".to_owned(), |ratio| format!("{ratio:.1}x"));
        let _ = writeln!(
            text,
            "| {name}: {what} | {unit} | {:.1} | {:.1} | {:.1} | {} | {ratio} |",
            found.median, found.min, found.max, found.n
        );
    }
    text
}

/// `{format, machine: {..}, measured: [{name, what, unit, n, median, min, max, samples, cold_ratio}]}`.
pub(crate) fn json(machine: &Machine, samples: &Samples) -> Value {
    let measured = METRICS.iter().filter_map(|(name, unit, what)| {
        let all = samples.get(*name)?;
        let found = stats(all)?;
        Some(json!({
            "name": name, "what": what, "unit": unit, "n": found.n, "median": found.median,
            "min": found.min, "max": found.max, "samples": all, "cold_ratio": ratio(samples, name),
        }))
    });
    let machine: serde_json::Map<String, Value> = machine
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    json!({ "format": FORMAT, "machine": machine, "measured": measured.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_in_both_and_nothing_else() {
        let samples = Samples::from([("clone".into(), vec![300.0, 100.0])]);
        let machine = vec![("cpu", "a".to_owned())];
        insta::assert_snapshot!(table(&machine, &samples), @r"
        cpu: a

        | measured | unit | median | min | max | n | cold path is |
        | --- | --- | ---: | ---: | ---: | ---: | ---: |
        | clone: clone to first successful command | ms | 200.0 | 100.0 | 300.0 | 2 | - |
        ");
        let value = json(&machine, &samples);
        assert_eq!(value["format"], 1);
        assert_eq!(value["measured"][0]["samples"][0], 300.0);
        assert!(value["measured"][1].is_null());
    }
}
