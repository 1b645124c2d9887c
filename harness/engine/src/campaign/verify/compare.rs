//! From runs to effects, and from effects to the one line.

use std::collections::{BTreeMap, BTreeSet};

use super::{Compared, Conclusion, Effect, Overall, Runs};
use crate::{
    diagnose::{Condition, Step},
    report::text,
    run::known::Known,
    verdict::{Verdict, event::Record, hop::Hop},
};

/// What the change does to the scenario `name`, from its records on both sides.
#[must_use]
pub fn compare(name: &str, claim: &str, again: String, base: Runs, change: Runs) -> Compared {
    let effect = effect(&base.records, &change.records);
    let hops = match effect {
        Effect::Fixed => mended(&base.observed.diagnosis, &change.observed.diagnosis),
        Effect::Broken => mended(&change.observed.diagnosis, &base.observed.diagnosis),
        _ => vec![],
    };
    Compared {
        name: name.to_owned(),
        claim: claim.to_owned(),
        effect,
        hops,
        known: vec![],
        base,
        change,
        again,
    }
}

/// The reports of the known bugs that `compared` still fails for, each once: none if anything failed on one of the `sides`
/// for another reason. Each side is its list of known bugs, and the facts of what it ran on.
#[must_use]
pub fn trackers(
    compared: &Compared,
    sides: [(&Known, &BTreeMap<String, String>); 2],
) -> Vec<String> {
    if compared.effect != Effect::StillFails {
        return vec![];
    }
    let both = [&compared.base, &compared.change].into_iter().zip(sides);
    let runs = both.flat_map(|(runs, side)| runs.records.iter().map(move |record| (record, side)));
    let tracker =
        |(record, (known, facts)): (&Record, (&Known, &BTreeMap<String, String>))| match known
            .judge(&compared.name, facts, record.verdict.clone())
        {
            Verdict::ExpectedFailure { tracker, .. } => Some(tracker),
            _ => None,
        };
    let all: Option<BTreeSet<String>> = runs.map(tracker).collect();
    all.into_iter().flatten().collect()
}

/// How one side of a scenario came out.
enum SideOutcome {
    Same { passed: bool },
    Mixed,
    Skipped(String),
    Unknown(String),
}

fn outcome(side: &str, records: &[Record]) -> SideOutcome {
    let mut skipped = None;
    let (mut passed, mut failed) = (0_usize, 0_usize);
    for record in records {
        match &record.verdict {
            Verdict::Passed | Verdict::UnexpectedPass { .. } | Verdict::Unstable { .. } => {
                passed += 1
            }
            Verdict::Failed(_) | Verdict::ExpectedFailure { .. } | Verdict::TimedOut { .. } => {
                failed += 1;
            }
            Verdict::Flaky { .. } => return SideOutcome::Mixed,
            Verdict::Skipped { why } => skipped = Some(why),
            Verdict::Infrastructure { .. } | Verdict::Interrupted => {
                let essence = text::essence(&record.verdict);
                return SideOutcome::Unknown(format!("{side}: {essence}"));
            }
        }
    }
    match (passed, failed, skipped) {
        (0, 0, Some(why)) => SideOutcome::Skipped(why.clone()),
        (0, 0, None) => SideOutcome::Unknown(format!("{side}: it was not run")),
        (_, 0, None) => SideOutcome::Same { passed: true },
        (0, _, None) => SideOutcome::Same { passed: false },
        _ => SideOutcome::Mixed,
    }
}

fn effect(base: &[Record], change: &[Record]) -> Effect {
    match (outcome("base", base), outcome("change", change)) {
        (SideOutcome::Unknown(why), _) | (_, SideOutcome::Unknown(why)) => {
            Effect::Undecided { why }
        }
        (SideOutcome::Skipped(one), SideOutcome::Skipped(other)) if one == other => {
            Effect::Skipped { why: one }
        }
        (SideOutcome::Skipped(why), _) => Effect::Skipped {
            why: format!("on the base: {why}"),
        },
        (_, SideOutcome::Skipped(why)) => Effect::Skipped {
            why: format!("with the change: {why}"),
        },
        (SideOutcome::Mixed, _) | (_, SideOutcome::Mixed) => Effect::Flaky,
        (SideOutcome::Same { passed: false }, SideOutcome::Same { passed: true }) => Effect::Fixed,
        (SideOutcome::Same { passed: true }, SideOutcome::Same { passed: false }) => Effect::Broken,
        (SideOutcome::Same { passed: true }, SideOutcome::Same { passed: true }) => {
            Effect::StillWorks
        }
        (SideOutcome::Same { passed: false }, SideOutcome::Same { passed: false }) => {
            Effect::StillFails
        }
    }
}

/// The hops that are broken in `red` and whole in `green`.
fn mended(red: &[Step], green: &[Step]) -> Vec<Hop> {
    let has = |steps: &[Step], hop: Hop, condition: Condition| {
        let wanted = |step: &Step| step.hop == hop && step.condition == condition;
        steps.iter().any(wanted)
    };
    Hop::ALL
        .into_iter()
        .filter(|hop| has(red, *hop, Condition::Broken) && has(green, *hop, Condition::Ok))
        .collect()
}

/// What `scenarios` come to together.
#[must_use]
pub fn overall(scenarios: &[Compared], interrupted: bool) -> Overall {
    let mut counts = BTreeMap::new();
    for compared in scenarios {
        *counts
            .entry(compared.effect.word().to_owned())
            .or_insert(0_usize) += 1;
    }
    let count = |word: &str| counts.get(word).copied().unwrap_or(0);
    let (fixed, broken) = (count("fixed"), count("broken"));
    let (flaky, undecided) = (count("flaky"), count("undecided"));
    let both_ran = scenarios.len() - count("skipped") - undecided;
    let (conclusion, sentence) = if interrupted {
        let sentence = "interrupted: nothing can be said of the change";
        (Conclusion::Interrupted, sentence.to_owned())
    } else if broken > 0 {
        let aside = match fixed {
            0 => String::new(),
            fixed => format!(", and fixes {fixed}"),
        };
        let sentence = format!("the change breaks {broken}{aside}");
        (Conclusion::Breaks, sentence)
    } else if flaky > 0 {
        let sentence = format!("the change can't be judged: {flaky} flaky");
        (Conclusion::Flaky, sentence)
    } else if undecided > 0 {
        let sentence = format!("the change can't be judged: the lab failed for {undecided}");
        (Conclusion::Undecided, sentence)
    } else if both_ran == 0 {
        let sentence = "nothing was compared: no scenario ran on both sides";
        (Conclusion::NothingCompared, sentence.to_owned())
    } else if fixed > 0 {
        let sentence = format!("the change does what it claims: it fixes {fixed}");
        let hops = hops(scenarios);
        let sentence = match hops.is_empty() {
            true => sentence,
            false => format!("{sentence} (hops: {hops})"),
        };
        (Conclusion::DoesWhatItClaims, sentence)
    } else {
        let sentence = "the change has no effect".to_owned();
        (Conclusion::NoEffect, sentence)
    };
    Overall {
        conclusion,
        sentence,
        counts,
        error: None,
    }
}

/// The hops of all scenarios that were fixed, first to last.
fn hops(scenarios: &[Compared]) -> String {
    let fixed = |hop: &Hop| {
        scenarios
            .iter()
            .any(|compared| compared.effect == Effect::Fixed && compared.hops.contains(hop))
    };
    let hops: Vec<String> = Hop::ALL
        .iter()
        .filter(|hop| fixed(hop))
        .map(ToString::to_string)
        .collect();
    hops.join(", ")
}
