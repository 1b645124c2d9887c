//! Shards of one comparison, put together again.

use super::{Compared, Comparison, Conclusion, Effect, Runs, overall};
use crate::campaign::shard::Shard;

/// One comparison of the shards in `reports`, each with the name that the user knows it by.
///
/// It is what a comparison without shards would have come to, whatever the order of `reports`. Scenarios
/// that no report holds are undecided, each with the reason.
///
/// # Errors
/// A message for the user: one is no shard, they are of different comparisons, or two are the same shard.
pub fn merge(reports: &[(String, Comparison)]) -> Result<Comparison, String> {
    let Some((first, one)) = reports.first() else {
        return Err("there is nothing to merge".into());
    };
    for (position, (name, other)) in reports.iter().enumerate() {
        if other.shard.is_none() {
            return Err(format!("{name} is a whole comparison, and no shard of one"));
        }
        if let Some(difference) = difference(one, other) {
            return Err(format!(
                "{first} and {name} are of different comparisons: {difference}"
            ));
        }
        let twin = |(_, earlier): &&(String, Comparison)| earlier.shard == other.shard;
        if let Some((earlier, _)) = reports[..position].iter().find(twin) {
            return Err(format!(
                "{earlier} and {name} both are shard {}; name each shard once",
                other.shard.as_deref().unwrap_or_default()
            ));
        }
    }
    let all = || reports.iter().map(|(_, report)| report);
    let found = |name: &str| {
        let mut scenarios = all().flat_map(|report| &report.scenarios);
        scenarios.find(|compared| compared.name == name).cloned()
    };
    let scenarios: Vec<Compared> = one
        .planned
        .iter()
        .map(|name| found(name).unwrap_or_else(|| missing(name, reports)))
        .collect();
    let interrupted = all().any(|report| report.overall.conclusion == Conclusion::Interrupted);
    let environment = |of: fn(&Comparison) -> &super::SideReport| {
        let known = all().find(|report| of(report).environment.is_some());
        of(known.unwrap_or(one)).clone()
    };
    Ok(Comparison {
        base: environment(|report| &report.base),
        change: environment(|report| &report.change),
        shard: None,
        planned: vec![],
        overall: overall(&scenarios, interrupted),
        scenarios,
        ..one.clone()
    })
}

/// The scenario `name`, which none of `reports` holds.
fn missing(name: &str, reports: &[(String, Comparison)]) -> Compared {
    let all = || reports.iter().map(|(_, report)| report);
    let holds = |report: &&Comparison| {
        let shard = report.shard.as_ref().and_then(|shard| shard.parse().ok());
        shard.is_some_and(|shard: Shard| shard.holds(name))
    };
    let why = match all().find(holds) {
        Some(report) => match &report.overall.error {
            Some(error) => error.clone(),
            None => report.overall.sentence.clone(),
        },
        None => "no report of its shard was merged".into(),
    };
    // The commands of one comparison differ in the scenario at their end only.
    let again = all()
        .flat_map(|report| &report.scenarios)
        .find_map(|other| {
            let words = other.again.strip_suffix(&other.name)?;
            Some(format!("{words}{name}"))
        });
    Compared {
        name: name.to_owned(),
        claim: String::new(),
        effect: Effect::Undecided { why },
        hops: vec![],
        known: vec![],
        base: Runs::default(),
        change: Runs::default(),
        again: again.unwrap_or_default(),
    }
}

fn difference(one: &Comparison, other: &Comparison) -> Option<String> {
    let sides = [(&one.base, &other.base), (&one.change, &other.change)];
    for (name, (one, other)) in ["base", "change"].iter().zip(sides) {
        if one.variables != other.variables {
            let (one, other) = (one.variables.join(" "), other.variables.join(" "));
            return Some(format!("{name} is {one}, and {other}"));
        }
    }
    if one.repeat != other.repeat {
        let (one, other) = (one.repeat, other.repeat);
        return Some(format!(
            "scenarios ran {one} and {other} times on each side"
        ));
    }
    (one.planned != other.planned).then(|| "their scenarios are not the same".to_owned())
}
