//! Tells a run while it happens: a live view on a terminal, plain lines elsewhere, groups and
//! annotations under GitHub Actions.

mod comparison;
mod display;
mod github;
mod screen;
mod ticker;
mod view;

use std::{
    io::{self, IsTerminal, Write},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{report::durations::DurationHistory, verdict::event::Event};
use display::{Display, Mode};
use screen::Screen;
use ticker::Ticker;

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Volume {
    /// What did not come out as expected, and the end.
    Quiet,
    /// Every step and scenario, when it ends.
    #[default]
    Normal,
    /// Also when it begins, its phases, and where its evidence is.
    Verbose,
}

/// The terminal's reporter.
///
/// A writer that fails is no reason to end a run: what can't be printed is still in the files.
pub struct Terminal {
    display: Arc<Mutex<Display>>,
    ticker: Option<Ticker>,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").finish_non_exhaustive()
    }
}

impl Terminal {
    fn new(out: Box<dyn Write + Send>, mode: Mode, colour: bool) -> Self {
        Self {
            display: Arc::new(Mutex::new(Display::new(out, mode, colour))),
            ticker: None,
        }
    }

    /// Plain lines without colour to `out`.
    #[must_use]
    pub fn plain(out: Box<dyn Write + Send>) -> Self {
        Self::new(out, Mode::Plain, false)
    }

    /// Lines with colour to `out`.
    #[must_use]
    pub fn coloured(out: Box<dyn Write + Send>) -> Self {
        Self::new(out, Mode::Plain, true)
    }

    /// Lines with the workflow commands of GitHub Actions to `out`.
    #[must_use]
    pub fn github(out: Box<dyn Write + Send>) -> Self {
        Self::new(out, Mode::Github, false)
    }

    /// Standard output as it is: a live view and colour on a terminal, neither elsewhere, and no
    /// colour where `NO_COLOR` is set to anything. Groups and annotations where `GITHUB_ACTIONS` is `true`.
    #[must_use]
    pub fn stdout() -> Self {
        let out = Box::new(io::stdout());
        let is = |name: &str, value: &str| std::env::var_os(name).is_some_and(|is| is == value);
        if is("GITHUB_ACTIONS", "true") {
            return Self::github(out);
        }
        // A dumb terminal can't take back what stands there.
        if !io::stdout().is_terminal() || is("TERM", "dumb") {
            return Self::plain(out);
        }
        Self::new(out, Mode::Live(Screen::of(io::stdout)), colours())
    }

    /// What is told of a comparison, on standard error, since the comparison itself goes to standard
    /// output: a live view on a terminal, plain lines elsewhere. That a scenario fails is no news here.
    #[must_use]
    pub fn comparison() -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let mode = match io::stderr().is_terminal() && !dumb {
            true => Mode::Live(Screen::of(io::stderr)),
            false => Mode::Plain,
        };
        let terminal = Self::new(Box::new(io::stderr()), mode, colours());
        terminal.lock(|display| display.compares = true);
        terminal
    }

    /// The same, telling more or less.
    #[must_use]
    pub fn with_volume(self, volume: Volume) -> Self {
        self.lock(|display| display.volume = volume);
        self
    }

    /// The same, knowing how long steps usually take, and noting how long they took.
    #[must_use]
    pub fn remembering(self, typical: DurationHistory) -> Self {
        self.lock(|display| display.typical = typical);
        self
    }

    /// Tells `event`.
    pub fn tell(&mut self, event: &Event) {
        let over = matches!(event, Event::RunFinished(_));
        if over {
            self.ticker = None;
        } else if self.ticker.is_none() {
            self.ticker = Some(Ticker::start(Arc::clone(&self.display), Display::tick));
        }
        self.lock(|display| display.tell(event));
    }

    fn lock<T>(&self, work: impl FnOnce(&mut Display) -> T) -> T {
        work(&mut self.display.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether the environment has nothing against colours.
fn colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

const RED: &str = "1;31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

/// `text` in `colour`, where there `is` any.
fn painted(is: bool, colour: &str, text: &str) -> String {
    if is {
        format!("\u{1b}[{colour}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod live_tests;
#[cfg(test)]
mod picture;
#[cfg(test)]
mod picture_tests;
#[cfg(test)]
mod tests;
