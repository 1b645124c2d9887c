//! What moves on a terminal, as lines of text: a pure function of what is under way and the time.

use std::{collections::BTreeMap, time::Duration};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::{
    report::{durations::DurationHistory, text},
    util::text::printable,
    verdict::event::Event,
};

/// What is under way, and what has ended.
#[derive(Debug, Default)]
pub(super) struct View {
    /// How many scenarios there are.
    selected: usize,
    ended: usize,
    counts: BTreeMap<&'static str, usize>,
    under_way: Vec<UnderWay>,
}

/// One thing that is.
#[derive(Debug)]
pub(super) struct UnderWay {
    pub(super) name: String,
    pub(super) scenario: bool,
    /// When it began, since the terminal's own beginning.
    begin: Duration,
    typical: Option<Duration>,
    phase: String,
    /// Whether it was said that it is slow.
    told: bool,
}

/// The size and looks of what the lines are for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) colour: bool,
}

impl View {
    /// Takes in `event`, which happened at `now`; `typical` is how long things usually take. Returns
    /// whether a scenario that ended was under way.
    pub(super) fn follow(
        &mut self,
        event: &Event,
        now: Duration,
        typical: impl Fn(&str) -> Option<Duration>,
    ) -> bool {
        match event {
            Event::RunStarted { selected, .. } => self.selected = *selected,
            Event::StepStarted { step } => self.begin(step, false, now, typical(step)),
            Event::StepPhase { step, phase } => self.phase(step, phase),
            Event::StepProgress { step, message } => self.phase(step, &printable(message)),
            Event::StepFinished { step, .. } => drop(self.end(step)),
            Event::SlotsAwaited { name, what } => {
                if self.under_way.iter().all(|one| one.name != *name) {
                    self.begin(name, false, now, None);
                }
                self.phase(name, &waits(what));
            }
            Event::ScenarioStarted { name } => {
                // It may have waited until now.
                self.end(name);
                self.begin(name, true, now, typical(name));
            }
            Event::ScenarioFinished(record) => {
                self.ended += 1;
                *self.counts.entry(record.verdict.word()).or_default() += 1;
                return self.end(&record.name);
            }
            Event::RunFinished(_) => *self = Self::default(),
            Event::CaseStarted { .. } | Event::EnvironmentKnown(_) | Event::Interrupted => {}
        }
        false
    }

    fn begin(&mut self, name: &str, scenario: bool, now: Duration, typical: Option<Duration>) {
        self.under_way.push(UnderWay {
            name: name.to_owned(),
            scenario,
            begin: now,
            typical,
            phase: String::new(),
            told: false,
        });
    }

    fn phase(&mut self, name: &str, phase: &str) {
        if let Some(one) = self.under_way.iter_mut().find(|one| one.name == name) {
            phase.clone_into(&mut one.phase);
        }
    }

    /// Whether a scenario runs.
    pub(super) fn runs(&self) -> bool {
        self.under_way.iter().any(|one| one.scenario)
    }

    /// `name` is over; whether it was under way.
    fn end(&mut self, name: &str) -> bool {
        let position = self.under_way.iter().position(|one| one.name == name);
        position
            .map(|position| self.under_way.remove(position))
            .is_some()
    }

    /// The steps that have become slower than usual since this was asked last: name, time so far,
    /// usual time.
    pub(super) fn newly_slow(&mut self, now: Duration) -> Vec<(String, Duration, Duration)> {
        let mut slow = vec![];
        for one in self
            .under_way
            .iter_mut()
            .filter(|one| !one.scenario && !one.told)
        {
            let so_far = now.saturating_sub(one.begin);
            if let Some(typical) = one
                .typical
                .filter(|typical| DurationHistory::is_slow(*typical, so_far))
            {
                one.told = true;
                slow.push((one.name.clone(), so_far, typical));
            }
        }
        slow
    }

    /// The moving part: no line is as wide as the window, nor are there as many as it has rows.
    pub(super) fn lines(&self, now: Duration, window: Window) -> Vec<String> {
        let width = window.columns.saturating_sub(1).max(1);
        let most = window.rows.saturating_sub(3).max(1);
        let mut lines: Vec<String> = self
            .under_way
            .iter()
            .take(most)
            .map(|one| one.line(now, width, window.colour))
            .collect();
        if self.under_way.len() > most {
            let more = format!("and {} more", self.under_way.len() - most);
            lines.push(cut(&more, width));
        }
        if self.selected > 0 && (self.ended > 0 || self.runs()) {
            lines.push(self.sums(now, width, window.colour));
        }
        lines
    }

    fn sums(&self, now: Duration, width: usize, colour: bool) -> String {
        let running = self.under_way.iter().filter(|one| one.scenario).count();
        let left = self.selected.saturating_sub(self.ended + running);
        let mut parts: Vec<(String, &str)> = vec![];
        for word in text::WORDS {
            if let Some(count) = self.counts.get(word) {
                let paint = match word {
                    "passed" => super::GREEN,
                    "skipped" | "expected-failure" => super::YELLOW,
                    _ => super::RED,
                };
                parts.push((format!("{count} {word}"), paint));
            }
        }
        parts.push((format!("{running} running"), ""));
        parts.push((format!("{left} to go"), ""));
        parts.push((clock(now), ""));
        let mut line = String::new();
        let mut used = 0;
        for (part, paint) in parts {
            let comma = if used > 0 { ", " } else { "" };
            let wide = comma.len() + part.width();
            if used + wide > width {
                break;
            }
            used += wide;
            line += comma;
            line += &super::painted(colour && !paint.is_empty(), paint, &part);
        }
        line
    }
}

impl UnderWay {
    /// The name gives way to the time: how long it takes is what one looks for.
    fn line(&self, now: Duration, width: usize, colour: bool) -> String {
        let so_far = now.saturating_sub(self.begin);
        let slow = self
            .typical
            .is_some_and(|typical| DurationHistory::is_slow(typical, so_far));
        let time = match self.typical {
            Some(typical) if slow => format!("{}, slow: usually {}", clock(so_far), clock(typical)),
            Some(typical) if !self.scenario => {
                format!("{} of usually {}", clock(so_far), clock(typical))
            }
            _ => clock(so_far),
        };
        let time = cut(&time, width);
        let room = width.saturating_sub(time.width() + 2);
        let name = cut(&self.name, room);
        let rest = room.saturating_sub(name.width() + 2);
        let phase = if rest >= 8 && !self.phase.is_empty() {
            format!("  {}", cut(&self.phase, rest))
        } else {
            String::new()
        };
        let time = super::painted(colour && slow, super::YELLOW, &time);
        if name.is_empty() {
            time
        } else {
            format!("{name}  {time}{phase}")
        }
    }
}

/// What is said of a scenario that waits for slots, and for `what`.
pub(super) fn waits(what: &str) -> String {
    format!("waits for room for {}", printable(what))
}

/// Whole seconds: anything finer only flickers.
pub(super) fn clock(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

/// `text` in at most `width` columns, with a sign where something is missing.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > width {
            break;
        }
        used += wide;
        cut.push(c);
    }
    if width > 0 {
        cut.push('…');
    }
    cut
}
