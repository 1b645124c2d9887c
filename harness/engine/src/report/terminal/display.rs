//! Events in, text out.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use camino::Utf8PathBuf;

use super::{GREEN, RED, Volume, YELLOW, comparison, github, painted, screen::Screen, view::View};
use crate::util::text::printable;
use crate::{
    report::{durations::DurationHistory, text},
    verdict::{
        Verdict,
        event::{Event, Record, Summary},
    },
};

/// How many scenarios skipped in a row for one reason get a line each; the rest is counted.
const SKIPS_TOLD: usize = 3;

/// What reads the text.
pub(super) enum Mode {
    /// A file, a pipe, or a simple terminal.
    Plain,
    /// A runner of GitHub Actions.
    Github,
    /// A person in front of a terminal.
    Live(Screen),
}

pub(super) struct Display {
    out: Box<dyn Write + Send>,
    mode: Mode,
    colour: bool,
    pub(super) volume: Volume,
    /// Whether two sides are compared: a scenario that fails is no news then.
    pub(super) compares: bool,
    pub(super) typical: DurationHistory,
    begin: Instant,
    /// Since the beginning; the time of what is being told.
    now: Duration,
    view: View,
    /// What times are remembered under, besides their step: those of KVM are not those of TCG.
    platform: String,
    report_dir: Utf8PathBuf,
    pub(super) ended: usize,
    unexpected: Vec<(String, &'static str)>,
    /// The command that runs again what is not as expected.
    again: Option<String>,
    skips: Option<Skips>,
    /// Since when the run waits for slots, if that was said.
    waits: Option<Duration>,
    grouped: bool,
}

struct Skips {
    why: String,
    count: usize,
}

impl Display {
    pub(super) fn new(out: Box<dyn Write + Send>, mode: Mode, colour: bool) -> Self {
        Self {
            out,
            mode,
            colour,
            volume: Volume::default(),
            compares: false,
            typical: DurationHistory::default(),
            begin: Instant::now(),
            now: Duration::ZERO,
            view: View::default(),
            platform: String::new(),
            report_dir: Utf8PathBuf::new(),
            ended: 0,
            unexpected: vec![],
            again: None,
            skips: None,
            waits: None,
            grouped: false,
        }
    }

    pub(super) fn tell(&mut self, event: &Event) {
        self.tell_at(event, self.begin.elapsed());
    }

    pub(super) fn tick(&mut self) {
        self.tick_at(self.begin.elapsed());
    }

    /// Time has passed.
    pub(super) fn tick_at(&mut self, now: Duration) {
        self.now = now;
        let slow = self.view.newly_slow(now);
        if matches!(self.mode, Mode::Live(_)) {
            self.draw("");
            return;
        }
        for (step, so_far, typical) in slow {
            if self.volume != Volume::Quiet && !self.compares {
                let [so_far, typical] = [so_far, typical].map(super::view::clock);
                let word = self.paint(YELLOW, &format!("{:<16}", "slow"));
                self.line(&format!(
                    "{word} {step}: {so_far} so far, usually {typical}"
                ));
            }
        }
    }

    pub(super) fn tell_at(&mut self, event: &Event, now: Duration) {
        self.now = now;
        let typical = |name: &str| self.typical.of(&thing(&self.platform, name));
        let ran = self.view.follow(event, now, typical);
        self.remember(event, ran);
        self.wait(event);
        if self.compares {
            let live = matches!(self.mode, Mode::Live(_));
            match comparison::line(event, live) {
                Some(line) => self.line(&line),
                None => self.draw(""),
            }
            return;
        }
        if !matches!(event, Event::ScenarioFinished(record) if matches!(record.verdict, Verdict::Skipped { .. }))
        {
            self.end_skips();
        }
        match event {
            Event::RunStarted {
                selected,
                report_dir,
                request,
            } => {
                self.report_dir.clone_from(report_dir);
                self.again = request.as_ref().map(|request| request.again.clone());
                self.say(&format!(
                    "{} selected; report in {report_dir}",
                    plural(*selected, "scenario")
                ));
            }
            Event::CaseStarted { case } => self.say(&format!("-- {case}")),
            Event::StepStarted { step } => self.step_started(step),
            Event::StepPhase { step, phase } => {
                if self.volume == Volume::Verbose {
                    self.say(&format!("{:<16} {step}: {phase}", ""));
                }
            }
            Event::StepProgress { step, message } => {
                let message = printable(message);
                if !matches!(self.mode, Mode::Live(_)) || self.volume == Volume::Verbose {
                    self.say(&format!("{:<16} {step}: {message}", ""));
                }
            }
            Event::StepFinished {
                step, took, result, ..
            } => self.step_finished(step, *took, result),
            Event::EnvironmentKnown(environment) => {
                self.say(&format!("\n{}", text::head(environment)));
            }
            Event::SlotsAwaited { .. } => {}
            Event::ScenarioStarted { name } => {
                self.ungroup();
                if self.volume == Volume::Verbose {
                    self.say(&format!("{:<16} {name}", "begin"));
                }
            }
            Event::ScenarioFinished(record) => self.ended(record),
            Event::Interrupted => {
                self.line("interrupted: stopping what runs (once more: stop at once)");
            }
            Event::RunFinished(summary) => self.finished(summary),
        }
        self.draw("");
    }

    /// Says that nothing of this run goes on, since other processes have all room, and when it does again. What waits beside
    /// scenarios that run is no news; a person sees it in the live view.
    fn wait(&mut self, event: &Event) {
        match event {
            Event::SlotsAwaited { what, .. } if self.waits.is_none() && !self.view.runs() => {
                self.ungroup();
                self.waits = Some(self.now);
                let word = self.paint(YELLOW, &format!("{:<16}", "waits"));
                let what = printable(what);
                self.say(&format!(
                    "{word} for room for {what}; begins by itself, within an hour"
                ));
            }
            Event::ScenarioStarted { .. } => {
                if let Some(since) = self.waits.take() {
                    let waited = super::view::clock(self.now.saturating_sub(since));
                    self.say(&format!("{:<16} after {waited} more", "goes on"));
                }
            }
            Event::Interrupted | Event::RunFinished(_) => self.waits = None,
            _ => {}
        }
    }

    /// Notes how long things took; `ran` is whether a scenario that ended had begun.
    fn remember(&mut self, event: &Event, ran: bool) {
        match event {
            Event::EnvironmentKnown(environment) => {
                let accelerator = environment.accelerator.split(' ').next();
                let image = environment.image.split(' ').next();
                self.platform = [accelerator, image]
                    .map(Option::unwrap_or_default)
                    .join(" ");
            }
            // What is reused takes no time, which says nothing about making it.
            Event::StepFinished {
                step, took, result, ..
            } if result.as_ref().is_ok_and(|mode| mode == "built") => {
                self.typical.note(&thing(&self.platform, step), *took);
            }
            // A run of a comparison has a name of its own, which no other command knows.
            Event::ScenarioFinished(record)
                if ran && record.verdict == Verdict::Passed && !self.compares =>
            {
                let took = Duration::from_millis(record.took_ms);
                self.typical
                    .note(&thing(&self.platform, &record.name), took);
            }
            Event::RunFinished(_) => {
                // A memory that can't be kept is missed next time, and by nobody else.
                if let Err(error) = self.typical.keep() {
                    tracing::debug!(%error, "durations were not kept");
                }
            }
            _ => {}
        }
    }

    fn step_started(&mut self, step: &str) {
        if matches!(self.mode, Mode::Github) && !self.grouped && self.volume != Volume::Quiet {
            self.grouped = true;
            self.command(&github::group("image and layers"));
        }
        if !matches!(self.mode, Mode::Live(_)) || self.volume == Volume::Verbose {
            let typical = self.typical.of(&thing(&self.platform, step));
            let typical = typical.map_or_else(String::new, |typical| {
                format!(" (usually {})", super::view::clock(typical))
            });
            self.say(&format!("{:<16} {step}{typical}", "begin"));
        }
    }

    fn step_finished(&mut self, step: &str, took: Duration, result: &Result<String, String>) {
        let took = text::millis(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        match result {
            Ok(mode) => self.say(&format!("{mode:<16} {step} ({took})")),
            Err(error) => {
                self.ungroup();
                let word = self.paint(RED, &format!("{:<16}", "error"));
                let error = printable(error);
                // The run ends with all of it.
                let first = error.lines().next().unwrap_or_default();
                self.line(&format!("{word} {step} ({took}): {first}"));
                if matches!(self.mode, Mode::Github) {
                    self.command(&github::error(step, &error));
                }
            }
        }
    }

    fn ended(&mut self, record: &Record) {
        self.ungroup();
        self.ended += 1;
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
            if skips.count > SKIPS_TOLD && self.volume != Volume::Verbose {
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
            if self.volume == Volume::Verbose && !matches!(verdict, Verdict::Skipped { .. }) {
                line += &format!("\n{:<16} {}", "", self.report_dir.join(&record.evidence));
            }
            self.say(&line);
        } else {
            self.problem(record, &line);
            self.unexpected.push((record.name.clone(), verdict.word()));
        }
    }

    fn problem(&mut self, record: &Record, line: &str) {
        let problem = text::problem(record, &self.report_dir);
        if !matches!(self.mode, Mode::Github) {
            self.line(&format!("{line}\n{}", problem.trim_end()));
            return;
        }
        let verdict = &record.verdict;
        let title = format!("{} {}", verdict.word(), record.name);
        let essence = text::essence(verdict);
        let message = if essence.is_empty() {
            &record.claim
        } else {
            &essence
        };
        self.line(line);
        self.command(&github::error(&title, message));
        self.command(&github::group(&title));
        self.line(problem.trim_end());
        self.command(github::END);
    }

    fn end_skips(&mut self) {
        if let Some(Skips { why, count }) = self.skips.take() {
            if count > SKIPS_TOLD && self.volume != Volume::Verbose {
                let word = self.paint(YELLOW, &format!("{:<16}", "skipped"));
                self.say(&format!("{word} and {} more: {why}", count - SKIPS_TOLD));
            }
        }
    }

    fn finished(&mut self, summary: &Summary) {
        self.ungroup();
        self.draw("");
        self.say("");
        // The lines of a long run have scrolled away by now.
        for (name, word) in std::mem::take(&mut self.unexpected) {
            let word = self.paint(RED, &format!("{word:<16}"));
            self.line(&format!("{word} {name}"));
        }
        if let Some(error) = &summary.error {
            let word = self.paint(RED, &format!("{:<16}", "error"));
            let error = printable(error);
            self.line(&format!("{word} {error}"));
            if matches!(self.mode, Mode::Github) {
                self.command(&github::error("nothing was run", &error));
            }
        }
        if let (Some(again), false) = (&self.again, summary.as_expected) {
            let again = format!("{:<16} {}", "again", printable(again));
            self.line(&again);
        }
        let end = if summary.as_expected { GREEN } else { RED };
        let sums = self.paint(end, &text::sums(summary, &self.report_dir));
        self.line(&sums);
    }

    fn ungroup(&mut self) {
        if std::mem::take(&mut self.grouped) {
            self.command(github::END);
        }
    }

    /// Prints what is no problem.
    fn say(&mut self, text: &str) {
        if self.volume != Volume::Quiet {
            self.line(text);
        }
    }

    fn line(&mut self, text: &str) {
        let text = match self.mode {
            Mode::Github => github::inert(text.to_owned()),
            _ => text.to_owned(),
        };
        self.draw(&format!("{text}\n"));
    }

    /// A line that a runner obeys.
    fn command(&mut self, command: &str) {
        self.draw(&format!("{command}\n"));
    }

    fn draw(&mut self, above: &str) {
        let out = &mut self.out;
        let _ = match &mut self.mode {
            Mode::Live(screen) => {
                let lines = match self.volume {
                    Volume::Quiet => vec![],
                    _ => self.view.lines(self.now, screen.window(self.colour)),
                };
                screen.draw(out, above, &lines)
            }
            _ if above.is_empty() => Ok(()),
            _ => out.write_all(above.as_bytes()).and_then(|()| out.flush()),
        };
    }

    #[cfg(test)]
    pub(super) fn view_lines(&self, window: super::view::Window) -> Vec<String> {
        self.view.lines(self.now, window)
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        painted(self.colour, colour, text)
    }
}

/// What the time of `name` on `platform` is remembered under.
fn thing(platform: &str, name: &str) -> String {
    format!("{platform} {name}").trim().to_owned()
}

fn colour(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => GREEN,
        Verdict::Skipped { .. }
        | Verdict::ExpectedFailure { .. }
        | Verdict::Unstable { gates: false, .. } => YELLOW,
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
