//! The page as data: what the template shows, in the words that it shows.

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    Part, Sources, history,
    history::History,
    logs::{self, Logs},
    problem::problem,
    timeline::{self, Scene, Timeline},
    words::clean,
};
use crate::{
    report::{run::Run, text},
    verdict::{Verdict, event::Record},
};

/// The most lines that are shown of what came with a failure.
const LINES: usize = 40;

#[derive(Debug, Serialize)]
pub(super) struct Page {
    /// `good`, `bad` or `open`: how the run as a whole came out.
    state: &'static str,
    headline: String,
    /// What the page's one script is known by: none else runs, wherever it might come from.
    script_hash: String,
    /// Why nothing was run, or nothing else to be said.
    error: String,
    started: String,
    took: String,
    counts: Vec<Count>,
    environment: Vec<PageFact>,
    timeline: Option<Timeline>,
    steps: Vec<StepView>,
    /// Those that need somebody: ids, names and what was wrong.
    attention: Vec<Attention>,
    /// The command that runs those again, if there is one.
    again: String,
    areas: Vec<Area>,
    /// How many runs before this one the durations are compared with.
    earlier: usize,
}

#[derive(Debug, Serialize)]
struct Count {
    word: &'static str,
    count: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct PageFact {
    label: String,
    value: String,
}

#[derive(Debug, Serialize)]
struct StepView {
    name: String,
    result: String,
    took: String,
    bad: bool,
}

#[derive(Debug, Serialize)]
struct Attention {
    id: String,
    name: String,
    word: &'static str,
    essence: String,
}

#[derive(Debug, Serialize)]
struct Area {
    name: String,
    counts: Vec<Count>,
    scenarios: Vec<ScenarioView>,
}

#[derive(Debug, Serialize)]
struct ScenarioView {
    id: String,
    /// Without the area.
    name: String,
    claim: String,
    word: &'static str,
    /// Whether it came out as it should.
    expected: bool,
    took: String,
    essence: String,
    history: Option<History>,
    facts: Vec<PageFact>,
    tracker: String,
    lines: Vec<String>,
    more_lines: usize,
    again: String,
    parts: Vec<AttemptView>,
}

#[derive(Debug, Serialize)]
struct AttemptView {
    name: String,
    folder: String,
    files: Vec<String>,
    hops: Vec<Hop>,
    phases: Vec<PageFact>,
    health: Vec<String>,
    logs: Logs,
}

#[derive(Debug, Serialize)]
struct Hop {
    name: String,
    /// `ok`, `broken` or `unknown`.
    condition: String,
    seen: String,
    facts: Vec<String>,
}

/// A step of a `walk.json`. What a later layout adds is passed over.
#[derive(Debug, Deserialize)]
struct Walked {
    hop: String,
    condition: String,
    #[serde(default)]
    seen: String,
    #[serde(default)]
    facts: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Phase {
    phase: String,
    took_ms: u64,
}

/// What the page of `sources` says, with logs that weigh `budget` bytes at most.
pub(super) fn of(sources: &Sources, mut budget: usize) -> Page {
    let run = &sources.run;
    let ids: Vec<String> = (1..=run.records.len()).map(|n| format!("s{n}")).collect();
    let nothing = super::ScenarioSources::default();
    let evidence = |position: usize| sources.scenarios.get(position).unwrap_or(&nothing);
    let phases: Vec<Vec<Phase>> = (0..run.records.len())
        .map(|position| all_phases(&evidence(position).parts))
        .collect();
    let scenes: Vec<Scene<'_>> = ids
        .iter()
        .zip(&phases)
        .map(|(id, phases)| Scene {
            id,
            phases: phases
                .iter()
                .map(|p| (p.phase.as_str(), p.took_ms))
                .collect(),
        })
        .collect();
    let timeline = timeline::of(run, &scenes);
    // Who needs somebody's attention gets its logs first.
    let mut order: Vec<usize> = (0..run.records.len()).collect();
    order.sort_by_key(|position| run.records[*position].verdict.is_expected());
    let mut scenarios: Vec<(usize, ScenarioView)> = order
        .into_iter()
        .map(|position| {
            let (id, record) = (&ids[position], &run.records[position]);
            (
                position,
                scenario(id, record, evidence(position), sources, &mut budget),
            )
        })
        .collect();
    scenarios.sort_by_key(|(position, _)| *position);
    let attention = run
        .records
        .iter()
        .zip(&ids)
        .filter(|(record, _)| !record.verdict.is_expected())
        .map(|(record, id)| Attention {
            id: id.clone(),
            name: clean(&record.name),
            word: record.verdict.word(),
            essence: clean(&text::essence(&record.verdict)),
        })
        .collect();
    let (state, headline) = headline(run);
    Page {
        state,
        headline,
        script_hash: script_hash(),
        error: clean(
            run.summary
                .as_ref()
                .and_then(|s| s.error.as_deref())
                .unwrap_or(""),
        ),
        started: started(&run.started),
        took: run
            .summary
            .as_ref()
            .map(|s| text::millis(s.took_ms))
            .unwrap_or_default(),
        counts: counts(run.records.iter()),
        environment: environment(run),
        timeline,
        steps: run.steps.iter().map(step).collect(),
        attention,
        again: clean(run.request.as_ref().map_or("", |request| &request.again)),
        areas: areas(run, scenarios),
        earlier: sources.earlier.len(),
    }
}

fn script_hash() -> String {
    let hash = Sha256::digest(super::SCRIPT.as_bytes());
    format!("sha256-{}", STANDARD.encode(hash))
}

fn headline(run: &Run) -> (&'static str, String) {
    let (ended, selected) = (run.records.len(), run.selected);
    let bad = run
        .records
        .iter()
        .filter(|record| !record.verdict.is_expected())
        .count();
    match &run.summary {
        None => (
            "open",
            format!("not finished: {ended} of {selected} scenarios ended"),
        ),
        Some(summary) if summary.error.is_some() => ("bad", "nothing could be run".into()),
        Some(summary) if summary.interrupted => (
            "open",
            format!("interrupted: {bad} of {selected} not as expected"),
        ),
        Some(summary) if summary.as_expected => ("good", "all as expected".into()),
        Some(_) => ("bad", format!("{bad} of {ended} not as expected")),
    }
}

fn started(time: &str) -> String {
    match time.parse::<Timestamp>() {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => clean(time),
    }
}

pub(super) fn fact(label: impl Into<String>, value: &str) -> PageFact {
    PageFact {
        label: label.into(),
        value: clean(value),
    }
}

fn environment(run: &Run) -> Vec<PageFact> {
    let Some(environment) = &run.environment else {
        return vec![];
    };
    let mut facts = vec![
        fact("image", &environment.image),
        fact("accelerator", &environment.accelerator),
        fact("tool", &environment.tool),
    ];
    let versions = environment.versions.iter();
    facts.extend(versions.map(|(program, version)| fact(clean(program), version)));
    facts
}

fn step(step: &crate::report::run::RunStep) -> StepView {
    let result = step.error.as_deref().or(step.result.as_deref());
    StepView {
        name: clean(&step.step),
        result: clean(result.unwrap_or_default()),
        took: text::millis(step.took_ms),
        bad: step.error.is_some(),
    }
}

fn counts<'a>(records: impl Iterator<Item = &'a Record> + Clone) -> Vec<Count> {
    text::WORDS
        .into_iter()
        .map(|word| Count {
            word,
            count: records
                .clone()
                .filter(|record| record.verdict.word() == word)
                .count(),
        })
        .filter(|count| count.count > 0)
        .collect()
}

fn areas(run: &Run, scenarios: Vec<(usize, ScenarioView)>) -> Vec<Area> {
    let area = |record: &Record| match record.name.split_once("::") {
        Some((area, _)) => clean(area),
        None => "other".to_owned(),
    };
    let mut areas: Vec<Area> = vec![];
    for (position, scenario) in scenarios {
        let name = area(&run.records[position]);
        match areas.iter_mut().find(|area| area.name == name) {
            Some(area) => area.scenarios.push(scenario),
            None => areas.push(Area {
                name,
                counts: vec![],
                scenarios: vec![scenario],
            }),
        }
    }
    for known in &mut areas {
        let of_it = run
            .records
            .iter()
            .filter(|record| area(record) == known.name);
        known.counts = counts(of_it);
    }
    areas
}

fn scenario(
    id: &str,
    record: &Record,
    evidence: &super::ScenarioSources,
    sources: &Sources,
    budget: &mut usize,
) -> ScenarioView {
    let expected = record.verdict.is_expected();
    let start = record.started.as_ref().and_then(|time| time.parse().ok());
    let (facts, lines, tracker) = problem(&record.verdict);
    let name = record
        .name
        .split_once("::")
        .map_or(record.name.as_str(), |(_, name)| name);
    let passed = record.verdict == Verdict::Passed;
    ScenarioView {
        id: id.to_owned(),
        name: clean(name),
        claim: clean(&record.claim),
        word: record.verdict.word(),
        expected,
        took: text::millis(record.took_ms),
        essence: clean(&text::essence(&record.verdict)),
        history: history::of(record, sources),
        facts,
        tracker: clean(&tracker),
        more_lines: lines.len().saturating_sub(LINES),
        lines: lines[lines.len().saturating_sub(LINES)..]
            .iter()
            .map(|line| clean(line))
            .collect(),
        again: clean(&record.again),
        parts: evidence
            .parts
            .iter()
            .map(|part| attempt(part, start, passed, budget))
            .collect(),
    }
}

fn attempt(part: &Part, start: Option<Timestamp>, passed: bool, budget: &mut usize) -> AttemptView {
    let walked: Vec<Walked> = serde_json::from_str(&part.diagnosis).unwrap_or_default();
    let phases: Vec<Phase> = serde_json::from_str(&part.phases).unwrap_or_default();
    AttemptView {
        name: clean(&part.name),
        folder: part.folder.to_string(),
        files: part.files.clone(),
        hops: walked
            .into_iter()
            .map(|step| Hop {
                name: clean(&step.hop),
                condition: match step.condition.as_str() {
                    "ok" | "broken" => step.condition,
                    _ => "unknown".into(),
                },
                seen: clean(&step.seen),
                facts: step.facts.iter().map(|fact| clean(fact)).collect(),
            })
            .collect(),
        phases: phases
            .iter()
            .map(|phase| fact(clean(&phase.phase), &text::millis(phase.took_ms)))
            .collect(),
        health: part.health.lines().take(LINES).map(clean).collect(),
        logs: logs::of(part, start, passed, budget),
    }
}

fn all_phases(parts: &[Part]) -> Vec<Phase> {
    parts
        .iter()
        .flat_map(|part| serde_json::from_str::<Vec<Phase>>(&part.phases).unwrap_or_default())
        .collect()
}
