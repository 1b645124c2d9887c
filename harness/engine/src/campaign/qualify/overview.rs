//! What the page shows, folded from all cases: one thing that happened in many cases is told once.

use std::collections::{BTreeMap, BTreeSet};

use super::{CaseOutcome, CaseReport, Cover, Qualification};
use crate::{
    report::text::{essence, millis},
    verdict::{Verdict, event::Record},
};

/// What the page shows.
pub(super) struct Overview<'a> {
    /// The one sentence.
    pub(super) sentence: String,
    /// What was run, in a line.
    pub(super) what: String,
    /// What came out other than expected, in the order of the plan.
    pub(super) findings: Vec<SharedFailure<'a>>,
    /// Cases that are not whole.
    pub(super) missing: Vec<(&'a str, String)>,
    /// Failures that are known, by tracker.
    pub(super) known: Vec<Group<'a>>,
    /// What was skipped, by reason.
    pub(super) skipped: Vec<Group<'a>>,
    /// What the matrix leaves out: the condition and the reason.
    pub(super) excluded: Vec<(String, &'a str)>,
    /// A line for each image: its name, its versions, and the guests that it had.
    pub(super) images: Vec<[String; 5]>,
}

/// Scenarios that came out other than expected in the same way in some cases.
pub(super) struct SharedFailure<'a> {
    pub(super) scenarios: Vec<&'a str>,
    /// The first of them.
    pub(super) record: &'a Record,
    /// The case of [`SharedFailure::record`].
    pub(super) case: &'a CaseReport,
    /// Which cases, in short.
    pub(super) cases: String,
}

/// Scenarios with one tracker, or one reason.
pub(super) struct Group<'a> {
    pub(super) why: String,
    pub(super) scenarios: Vec<&'a str>,
    /// Which cases, in short.
    pub(super) cases: String,
}

impl<'a> Overview<'a> {
    pub(super) fn of(qualification: &'a Qualification) -> Self {
        let cases = &qualification.cases;
        let varied = varied(qualification);
        let known = |verdict: &Verdict| match verdict {
            Verdict::ExpectedFailure { tracker, .. } => Some(tracker.clone()),
            _ => None,
        };
        let skipped = |verdict: &Verdict| match verdict {
            Verdict::Skipped { why } => Some(why.clone()),
            _ => None,
        };
        let missing = cases.iter().filter_map(|case| {
            let missing = case.missing.as_ref()?;
            Some((case.name.as_str(), missing.sentence()))
        });
        let excluded = qualification.plan.excluded.iter().map(|exclude| {
            let when = exclude.when.iter();
            let when = when.map(|(name, values)| format!("{name}={}", values.all().join("|")));
            (when.collect::<Vec<_>>().join(","), exclude.why.as_str())
        });
        Self {
            sentence: sentence(qualification),
            what: what(qualification),
            findings: findings(cases, &varied),
            missing: missing.collect(),
            known: groups(cases, &varied, known),
            skipped: groups(cases, &varied, skipped),
            excluded: excluded.collect(),
            images: images(cases),
        }
    }
}

fn sentence(qualification: &Qualification) -> String {
    let cases = &qualification.cases;
    let count = |came: CaseOutcome| cases.iter().filter(|case| case.outcome() == came).count();
    let all = plural(cases.len(), "case");
    let (failed, expected) = (count(CaseOutcome::Failed), count(CaseOutcome::AsExpected));
    let rest = cases.len() - failed - expected;
    let text = match qualification.outcome() {
        CaseOutcome::AsExpected if cases.is_empty() => "no case is in this shard".to_owned(),
        CaseOutcome::AsExpected => format!("qualified: {all}, all as expected"),
        CaseOutcome::Failed if rest > 0 => {
            format!("not qualified: of {all} {failed} failed, {rest} incomplete")
        }
        CaseOutcome::Failed => format!("not qualified: of {all} {failed} failed"),
        CaseOutcome::Incomplete => format!("not qualified: of {all} {rest} incomplete"),
        CaseOutcome::Interrupted => {
            format!("interrupted: of {all} {expected} ended as expected, {failed} failed")
        }
    };
    match &qualification.shard {
        Some(shard) => format!("shard {shard}: {text}"),
        None => text,
    }
}

fn what(qualification: &Qualification) -> String {
    let plan = &qualification.plan;
    let sum = |wanted: fn(&Verdict) -> bool| {
        let records = qualification.cases.iter().flat_map(|case| &case.records);
        records.filter(|record| wanted(&record.verdict)).count()
    };
    let cover = match plan.cover {
        Cover::Pairs => "every pair of values",
        Cover::Full => "the full product",
    };
    let unstable = match sum(|verdict| matches!(verdict, Verdict::Unstable { gates: false, .. })) {
        0 => String::new(),
        count => format!(" {count} unstable,"),
    };
    format!(
        "{} passed,{unstable} {} not as expected, {} expected to fail, {} skipped; {cover}; loops of {}; spawnlab {}; {}",
        sum(|verdict| *verdict == Verdict::Passed),
        sum(|verdict| !verdict.is_expected()),
        sum(|verdict| matches!(verdict, Verdict::ExpectedFailure { .. })),
        sum(|verdict| matches!(verdict, Verdict::Skipped { .. })),
        plan.iterations,
        plan.spawnlab,
        millis(qualification.took_ms)
    )
}

/// What was seen differs by address and time; what makes two failures one is where they failed. A
/// layer that can't be made is one finding, and not one of every scenario.
fn findings<'a>(cases: &'a [CaseReport], varied: &[&str]) -> Vec<SharedFailure<'a>> {
    let kind = |record: &Record| match &record.verdict {
        Verdict::Failed(failure) => failure.assertion.clone(),
        Verdict::TimedOut { phase, .. } => phase.clone(),
        Verdict::Flaky { .. } => record.name.clone(),
        verdict => essence(verdict),
    };
    let mut found: Vec<(String, SharedFailure<'a>, Vec<&CaseReport>)> = vec![];
    for case in cases {
        for record in &case.records {
            if record.verdict.is_expected() {
                continue;
            }
            let key = format!("{} {}", record.verdict.word(), kind(record));
            let position = found.iter().position(|(known, ..)| *known == key);
            let position = position.unwrap_or_else(|| {
                let finding = SharedFailure {
                    scenarios: vec![],
                    record,
                    case,
                    cases: String::new(),
                };
                found.push((key, finding, vec![]));
                found.len() - 1
            });
            let (_, finding, cases) = &mut found[position];
            if !finding.scenarios.contains(&record.name.as_str()) {
                finding.scenarios.push(&record.name);
            }
            if cases.last().is_none_or(|last| last.name != case.name) {
                cases.push(case);
            }
        }
    }
    let told = found.into_iter().map(|(_, finding, cases)| SharedFailure {
        cases: short(&cases, varied),
        ..finding
    });
    told.collect()
}

/// The scenarios of which `why` tells something, by what it tells, in the order in which it is first told.
fn groups<'a>(
    cases: &'a [CaseReport],
    varied: &[&str],
    why: impl Fn(&Verdict) -> Option<String>,
) -> Vec<Group<'a>> {
    let mut groups: Vec<(String, Vec<&str>, Vec<&CaseReport>)> = vec![];
    for case in cases {
        for record in &case.records {
            let Some(why) = why(&record.verdict) else {
                continue;
            };
            let position = groups.iter().position(|(known, ..)| *known == why);
            let position = position.unwrap_or_else(|| {
                groups.push((why, vec![], vec![]));
                groups.len() - 1
            });
            let (_, scenarios, cases) = &mut groups[position];
            if !scenarios.contains(&record.name.as_str()) {
                scenarios.push(&record.name);
            }
            if cases.last().is_none_or(|last| last.name != case.name) {
                cases.push(case);
            }
        }
    }
    groups
        .into_iter()
        .map(|(why, scenarios, cases)| Group {
            why,
            scenarios,
            cases: short(&cases, varied),
        })
        .collect()
}

/// The dimensions that have more than one value in the plan: the others tell no case from another.
fn varied(qualification: &Qualification) -> Vec<&str> {
    let mut varied = dimensions(qualification);
    varied.retain(|name| values(qualification, name).len() > 1);
    varied
}

/// The values that the dimension `name` has in the plan, in its order.
pub(super) fn values<'a>(qualification: &'a Qualification, name: &str) -> Vec<&'a str> {
    let mut values = vec![];
    for case in &qualification.plan.cases {
        values.extend(value(&case.name, name).filter(|value| !values.contains(value)));
    }
    values
}

/// The value of the dimension `name` in the name of a case.
fn value<'a>(case: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = case.split(',').filter_map(|pair| pair.split_once('='));
    pairs.find_map(|(known, value)| (known == name).then_some(value))
}

/// The cases by their varied values if they are few, else how many, and what they have in common.
fn short(cases: &[&CaseReport], varied: &[&str]) -> String {
    let values = |case: &CaseReport, wanted: &dyn Fn(&str, &str) -> bool| {
        let pairs = varied.iter().filter_map(|name| {
            let value = case.values.get(*name)?;
            wanted(name, value).then(|| format!("{name}={value}"))
        });
        pairs.collect::<Vec<_>>().join(",")
    };
    if varied.is_empty() {
        return "the only case".into();
    }
    if cases.len() <= 2 {
        let names: Vec<String> = cases
            .iter()
            .map(|case| values(case, &|_, _| true))
            .collect();
        return names.join(" and ");
    }
    let common = values(cases[0], &|name, value| {
        let has = |case: &&CaseReport| case.values.get(name).is_some_and(|one| one == value);
        cases.iter().all(has)
    });
    let count = plural(cases.len(), "case");
    if common.is_empty() {
        count
    } else {
        format!("{count} with {common}")
    }
}

fn images(cases: &[CaseReport]) -> Vec<[String; 5]> {
    let mut guests: BTreeMap<[String; 4], BTreeSet<String>> = BTreeMap::new();
    for case in cases {
        let Some(environment) = &case.environment else {
            continue;
        };
        let version = |program: &str| {
            let version = environment.versions.get(program);
            version.map_or_else(|| "?".to_owned(), Clone::clone)
        };
        let image = [
            environment.image.clone(),
            version("systemd"),
            version("nix"),
            version("kernel"),
        ];
        let had = guests.entry(image).or_default();
        had.extend(environment.versions.get("guest").cloned());
    }
    guests
        .into_iter()
        .map(|([image, systemd, nix, kernel], guests)| {
            let guests: Vec<String> = guests.into_iter().collect();
            [image, systemd, nix, kernel, guests.join(", ")]
        })
        .collect()
}

/// How a case's line is counted: passed, other than expected, expected to fail, skipped.
pub(super) fn columns(case: &CaseReport) -> [usize; 4] {
    let counts = case.counts();
    let count = |word: &str| counts.get(word).copied().unwrap_or(0);
    let (passed, known, skipped) = (count("passed"), count("expected-failure"), count("skipped"));
    let others = case.records.len() - passed - known - skipped;
    [passed, others, known, skipped]
}

/// The word for a case.
pub(super) fn word(case: &CaseReport) -> &'static str {
    match case.outcome() {
        CaseOutcome::AsExpected => "as expected",
        CaseOutcome::Failed => "failed",
        CaseOutcome::Incomplete => "incomplete",
        CaseOutcome::Interrupted => "interrupted",
    }
}

/// The head of the table: the dimensions, by the first case.
pub(super) fn dimensions(qualification: &Qualification) -> Vec<&str> {
    let first = qualification.plan.cases.first();
    let pairs = first.map(|case| case.name.split(',')).into_iter().flatten();
    pairs
        .filter_map(|pair| pair.split_once('=').map(|(name, _)| name))
        .collect()
}

fn plural(count: usize, thing: &str) -> String {
    if count == 1 {
        format!("1 {thing}")
    } else {
        format!("{count} {thing}s")
    }
}
