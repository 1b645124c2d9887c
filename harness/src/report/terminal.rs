//! Tells a run while it happens: progress on a terminal, plain lines elsewhere.

mod screen;

use std::io::{self, IsTerminal, Write};

use camino::Utf8PathBuf;

use super::text;
use crate::{
    event::{Event, Record, Summary},
    verdict::Verdict,
};
use screen::Screen;

/// How many scenarios skipped in a row for one reason get a line each; the rest is counted.
const SKIPS_TOLD: usize = 3;

/// The terminal's reporter.
///
/// A writer that fails is no reason to end a run: what can't be printed is still in the files.
pub struct Terminal {
    out: Box<dyn Write + Send>,
    colour: bool,
    screen: Option<Screen>,
    report_dir: Utf8PathBuf,
    selected: usize,
    ended: usize,
    unexpected: Vec<(String, &'static str)>,
    skips: Option<Skips>,
}

struct Skips {
    why: String,
    count: usize,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").finish_non_exhaustive()
    }
}

impl Terminal {
    /// Plain lines without colour to `out`.
    #[must_use]
    pub fn plain(out: Box<dyn Write + Send>) -> Self {
        Self {
            out,
            colour: false,
            screen: None,
            report_dir: Utf8PathBuf::new(),
            selected: 0,
            ended: 0,
            unexpected: vec![],
            skips: None,
        }
    }

    /// Lines with colour to `out`.
    #[must_use]
    pub fn coloured(out: Box<dyn Write + Send>) -> Self {
        Self {
            colour: true,
            ..Self::plain(out)
        }
    }

    /// Standard output as it is: progress and colour on a terminal, neither elsewhere, and no colour
    /// where `NO_COLOR` is set to anything.
    #[must_use]
    pub fn stdout() -> Self {
        let out = Box::new(io::stdout());
        if !io::stdout().is_terminal() {
            return Self::plain(out);
        }
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            colour: !no_colour,
            screen: Some(Screen::stdout()),
            ..Self::plain(out)
        }
    }

    /// Tells `event`.
    pub fn tell(&mut self, event: &Event) {
        if !matches!(event, Event::ScenarioFinished(record) if matches!(record.verdict, Verdict::Skipped { .. }))
        {
            self.end_skips();
        }
        match event {
            Event::RunStarted {
                selected,
                report_dir,
            } => {
                self.selected = *selected;
                self.report_dir.clone_from(report_dir);
                self.line(&format!(
                    "{} selected; report in {report_dir}",
                    plural(*selected, "scenario")
                ));
            }
            Event::StepStarted { step } => match &mut self.screen {
                Some(screen) => screen.begin(step),
                None => self.line(&format!("{:<16} {step}", "begin")),
            },
            Event::StepProgress { step, message } => match &mut self.screen {
                Some(screen) => screen.say(step, &text::printable(message)),
                None => self.line(&format!("{:<16} {step}: {}", "", text::printable(message))),
            },
            Event::StepFinished {
                step, took, result, ..
            } => {
                self.end(step);
                let took = text::millis(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
                match result {
                    Ok(how) => self.line(&format!("{how:<16} {step} ({took})")),
                    Err(error) => {
                        let word = self.paint(RED, &format!("{:<16}", "error"));
                        self.line(&format!(
                            "{word} {step} ({took}): {}",
                            text::printable(error)
                        ));
                    }
                }
            }
            Event::EnvironmentKnown(environment) => {
                self.line(&format!("\n{}", text::head(environment)));
            }
            Event::ScenarioStarted { name } => {
                if let Some(screen) = &mut self.screen {
                    screen.begin(name);
                }
            }
            Event::ScenarioFinished(record) => self.ended(record),
            Event::Interrupted => {
                self.line("interrupted: stopping what runs (once more: stop at once)");
            }
            Event::RunFinished(summary) => self.finished(summary),
        }
    }

    fn ended(&mut self, record: &Record) {
        self.end(&record.name);
        self.ended += 1;
        if let Some(screen) = &mut self.screen {
            screen.count(self.ended, self.selected);
        }
        let verdict = &record.verdict;
        if let Verdict::Skipped { why } = verdict {
            if self.skips.as_ref().is_some_and(|skips| skips.why != *why) {
                self.end_skips();
            }
            let skips = self.skips.get_or_insert_with(|| Skips {
                why: why.clone(),
                count: 0,
            });
            skips.count += 1;
            if skips.count > SKIPS_TOLD {
                return;
            }
        }
        let word = self.paint(colour(verdict), &format!("{:<16}", verdict.word()));
        let mut line = format!("{word} {}", record.name);
        if !matches!(verdict, Verdict::Skipped { .. }) {
            line += &format!(" ({})", text::millis(record.took_ms));
        }
        if verdict.is_expected() {
            let essence = text::essence(verdict);
            if !essence.is_empty() {
                line += &format!(": {essence}");
            }
            self.line(&line);
        } else {
            let problem = text::problem(record, &self.report_dir);
            self.line(&format!("{line}\n{}", problem.trim_end()));
            self.unexpected.push((record.name.clone(), verdict.word()));
        }
    }

    fn end_skips(&mut self) {
        if let Some(Skips { why, count }) = self.skips.take() {
            if count > SKIPS_TOLD {
                let word = self.paint(YELLOW, &format!("{:<16}", "skipped"));
                self.line(&format!("{word} and {} more: {why}", count - SKIPS_TOLD));
            }
        }
    }

    fn finished(&mut self, summary: &Summary) {
        if let Some(screen) = self.screen.take() {
            screen.clear();
        }
        self.line("");
        // The lines of a long run have scrolled away by now.
        for (name, word) in std::mem::take(&mut self.unexpected) {
            let word = self.paint(RED, &format!("{word:<16}"));
            self.line(&format!("{word} {name}"));
        }
        if let Some(error) = &summary.error {
            let word = self.paint(RED, &format!("{:<16}", "error"));
            self.line(&format!("{word} {}", text::printable(error)));
        }
        let end = if summary.as_expected { GREEN } else { RED };
        let sums = self.paint(end, &text::sums(summary, &self.report_dir));
        self.line(&sums);
    }

    fn end(&mut self, name: &str) {
        if let Some(screen) = &mut self.screen {
            screen.end(name);
        }
    }

    fn line(&mut self, line: &str) {
        let out = &mut self.out;
        let mut print = || {
            let _ = writeln!(out, "{line}").and_then(|()| out.flush());
        };
        match &self.screen {
            Some(screen) => screen.aside(print),
            None => print(),
        }
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{colour}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

const RED: &str = "1;31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

fn colour(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => GREEN,
        Verdict::Skipped { .. } | Verdict::ExpectedFailure { .. } => YELLOW,
        _ => RED,
    }
}

fn plural(count: usize, thing: &str) -> String {
    if count == 1 {
        format!("1 {thing}")
    } else {
        format!("{count} {thing}s")
    }
}

#[cfg(test)]
mod tests;
