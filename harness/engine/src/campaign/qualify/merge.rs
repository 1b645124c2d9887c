//! Shards of one qualification, put together again.

use super::{CaseReport, Missing, Qualification, VERSION};
use crate::campaign::case::Case;

/// One qualification of the shards in `reports`, each with the name that the user knows it by.
///
/// It is what a run without shards would have come to: the same cases with the same verdicts in the
/// same order, whatever the order of `reports`. What differs by nature is when it began (the earliest
/// shard), how long it took (all together), and how long each scenario did.
/// Cases that no report holds are there as missing.
///
/// # Errors
/// A message for the user: there is none, their plans differ, or two hold the same case.
pub fn merge(reports: &[(String, Qualification)]) -> Result<Qualification, String> {
    let Some((first, one)) = reports.first() else {
        return Err("there is nothing to merge".into());
    };
    for (name, other) in reports {
        if other.plan != one.plan {
            return Err(format!(
                "{first} and {name} are of different qualifications: {}",
                difference(one, other)
            ));
        }
    }
    let mut cases = vec![];
    for planned in &one.plan.cases {
        let mut found: Option<(&String, &CaseReport)> = None;
        for (name, report) in reports {
            let mut of_it = report.cases.iter().filter(|case| case.name == planned.name);
            if let Some(case) = of_it.next() {
                if let Some((other, _)) = found {
                    return Err(format!(
                        "{other} and {name} both hold the case {}; name each shard once",
                        case.name
                    ));
                }
                found = Some((name, case));
            }
        }
        cases.push(match found {
            Some((_, case)) => case.clone(),
            None => CaseReport {
                missing: Some(Missing::NoReport),
                ..CaseReport::new(&Case::named(&planned.name))
            },
        });
    }
    let all = || reports.iter().map(|(_, report)| report);
    Ok(Qualification {
        version: VERSION,
        started: all()
            .map(|report| report.started.clone())
            .min()
            .unwrap_or_default(),
        request: one.request.clone(),
        plan: one.plan.clone(),
        shard: None,
        cases,
        interrupted: all().any(|report| report.interrupted),
        took_ms: all().map(|report| report.took_ms).sum(),
    })
}

fn difference(one: &Qualification, other: &Qualification) -> String {
    let (one, other) = (&one.plan, &other.plan);
    if one.spawnlab != other.spawnlab {
        format!(
            "they were made by spawnlab {} and {}",
            one.spawnlab, other.spawnlab
        )
    } else if one.iterations != other.iterations {
        format!(
            "scenarios looped {} and {} times",
            one.iterations, other.iterations
        )
    } else if one.cases.len() != other.cases.len() {
        let (one, other) = (one.cases.len(), other.cases.len());
        format!("they have {one} and {other} cases")
    } else {
        "their matrices or scenarios are not the same".into()
    }
}
