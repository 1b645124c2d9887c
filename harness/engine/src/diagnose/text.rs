//! An explanation: the first broken hop, in words that fit on a screen.

use super::{Condition, Endpoint, Step, broken};

/// More than these lines nobody reads while something is broken.
const LINES: usize = 10;
/// A line that is longer than this is cut.
const WIDTH: usize = 180;

pub(super) fn explanation(endpoint: &Endpoint, steps: &[Step]) -> Vec<String> {
    let name = &endpoint.container;
    let of = |condition: Condition| {
        let hops = steps.iter().filter(move |step| step.condition == condition);
        hops.map(|step| step.hop.to_string()).collect::<Vec<_>>()
    };
    let whole = of(Condition::Ok).join(", ");
    let untold = untold(steps);
    let Some(step) = broken(steps) else {
        let mut lines = vec![format!(
            "{name} is sound: no hop of the way to it is broken"
        )];
        lines.push(format!("whole: {whole}"));
        if !untold.is_empty() {
            lines.push(format!("not told: {untold}"));
        }
        return lines.into_iter().map(|line| cut(&line)).collect();
    };
    let before = steps.iter().take_while(|one| one.hop != step.hop);
    let before = before.filter(|one| one.condition == Condition::Ok);
    let before: Vec<String> = before.map(|one| one.hop.to_string()).collect();
    let mut lines = vec![format!(
        "{name} is broken at the hop {}: {}",
        step.hop, step.seen
    )];
    lines.extend(step.facts.iter().take(LINES - 4).cloned());
    if !before.is_empty() {
        lines.push(format!("whole before it: {}", before.join(", ")));
    }
    let behind: Vec<String> = of(Condition::Broken).split_off(1);
    if !behind.is_empty() {
        lines.push(format!("broken behind it, too: {}", behind.join(", ")));
    }
    if !untold.is_empty() {
        lines.push(format!("not told: {untold}"));
    }
    lines.into_iter().map(|line| cut(&line)).collect()
}

/// The hops that could not be told, each reason once behind those that share it.
fn untold(steps: &[Step]) -> String {
    let untold = steps
        .iter()
        .filter(|step| step.condition == Condition::Unknown);
    let untold: Vec<&Step> = untold.collect();
    let alike = untold.chunk_by(|one, next| one.seen == next.seen);
    let told = alike.map(|those| {
        let hops: Vec<String> = those.iter().map(|step| step.hop.to_string()).collect();
        format!("{} ({})", hops.join(", "), those[0].seen)
    });
    told.collect::<Vec<_>>().join(", ")
}

/// One line of printable characters.
fn cut(line: &str) -> String {
    let one: String = line
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if one.chars().count() <= WIDTH {
        return one;
    }
    one.chars().take(WIDTH - 3).chain("...".chars()).collect()
}
