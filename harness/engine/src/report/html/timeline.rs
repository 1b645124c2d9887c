//! When things happened: bars on lanes, in parts of a hundred of the whole run.

use jiff::Timestamp;
use serde::Serialize;

use crate::report::{run::Run, text};

/// The whole timeline.
#[derive(Debug, Serialize)]
pub(super) struct Timeline {
    lanes: Vec<Lane>,
    ticks: Vec<Tick>,
}

#[derive(Debug, Default, Serialize)]
struct Lane {
    label: String,
    bars: Vec<Bar>,
    /// When its last bar ends, in milliseconds.
    #[serde(skip)]
    free: u64,
}

#[derive(Debug, Serialize)]
struct Bar {
    left: String,
    width: String,
    /// The verdict's word, or `step`.
    class: String,
    title: String,
    /// Where a click leads; empty if nowhere.
    target: String,
    parts: Vec<Piece>,
}

#[derive(Debug, Serialize)]
struct Piece {
    class: String,
    width: String,
}

#[derive(Debug, Serialize)]
struct Tick {
    left: String,
    label: String,
}

/// What of a scenario the timeline shows.
pub(super) struct Scene<'a> {
    pub(super) id: &'a str,
    /// Phases with their milliseconds, in their order.
    pub(super) phases: Vec<(&'a str, u64)>,
}

/// The timeline of `run`, whose records `scenes` stand beside; none where no times are known.
pub(super) fn of(run: &Run, scenes: &[Scene<'_>]) -> Option<Timeline> {
    let start: Timestamp = run.started.parse().ok()?;
    let since = |time: &Option<String>| -> Option<u64> {
        let time: Timestamp = time.as_ref()?.parse().ok()?;
        u64::try_from(time.duration_since(start).as_millis()).ok()
    };
    let steps: Vec<_> = run
        .steps
        .iter()
        .filter_map(|step| Some((step, since(&step.started)?)))
        .collect();
    let records: Vec<_> = run
        .records
        .iter()
        .zip(scenes)
        .filter_map(|(record, scene)| Some((record, scene, since(&record.started)?)))
        .collect();
    let ends = steps.iter().map(|(step, at)| at + step.took_ms);
    let whole = ends
        .chain(records.iter().map(|(record, _, at)| at + record.took_ms))
        .chain(run.summary.iter().map(|summary| summary.took_ms))
        .max()
        .filter(|whole| *whole > 0)?;
    let mut lanes = vec![Lane {
        label: "steps".into(),
        ..Lane::default()
    }];
    for (step, at) in steps {
        let result = step.result.as_deref().unwrap_or("failed");
        lanes[0].bars.push(Bar {
            left: percent(at, whole),
            width: percent(step.took_ms, whole),
            class: if step.error.is_some() {
                "failed"
            } else {
                "step"
            }
            .into(),
            title: format!("{}: {result}, {}", step.step, text::millis(step.took_ms)),
            target: String::new(),
            parts: vec![],
        });
    }
    let mut by_time = records;
    by_time.sort_by_key(|(_, _, at)| *at);
    for (record, scene, at) in by_time {
        // Ends are measured by another clock than beginnings: a little overlap is none.
        let free = lanes.iter().skip(1).position(|lane| lane.free <= at + 20);
        let lane = match free {
            Some(position) => position + 1,
            None => {
                lanes.push(Lane {
                    label: format!("lane {}", lanes.len()),
                    ..Lane::default()
                });
                lanes.len() - 1
            }
        };
        lanes[lane].free = at + record.took_ms;
        let phases: Vec<String> = scene
            .phases
            .iter()
            .map(|(phase, took)| format!("{phase} {}", text::millis(*took)))
            .collect();
        let title = format!(
            "{}: {}, {}",
            record.name,
            record.verdict.word(),
            text::millis(record.took_ms)
        );
        lanes[lane].bars.push(Bar {
            left: percent(at, whole),
            width: percent(record.took_ms, whole),
            class: record.verdict.word().into(),
            title: match phases.as_slice() {
                [] => title,
                phases => format!("{title} ({})", phases.join(", ")),
            },
            target: scene.id.to_owned(),
            parts: scene
                .phases
                .iter()
                .map(|(phase, took)| Piece {
                    class: (*phase).to_owned(),
                    width: percent(*took, record.took_ms.max(1)),
                })
                .collect(),
        });
    }
    Some(Timeline {
        lanes,
        ticks: ticks(whole),
    })
}

/// `part` of `whole` in per cent, within it.
fn percent(part: u64, whole: u64) -> String {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a per cent of a screen's width is enough"
    )]
    let percent = (part as f64 / whole as f64 * 100.0).min(100.0);
    format!("{percent:.2}")
}

/// Some four round times along the axis.
fn ticks(whole: u64) -> Vec<Tick> {
    const ROUND: [u64; 14] = [
        100, 250, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000,
        1_800_000, 3_600_000,
    ];
    let step = ROUND
        .into_iter()
        .find(|step| whole / step < 6)
        .unwrap_or(whole);
    (0..=whole / step)
        .map(|number| number * step)
        .map(|at| Tick {
            left: percent(at, whole),
            label: match at {
                0 => "0".into(),
                ..60_000 if step < 1_000 => format!("{}.{:02} s", at / 1_000, at % 1_000 / 10),
                1..60_000 => format!("{} s", at / 1_000),
                _ => format!("{}:{:02}", at / 60_000, at / 1_000 % 60),
            },
        })
        .collect()
}
