//! What moves on a terminal: one line for each thing that is under way, and one for the whole.

use std::{collections::HashMap, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the clocks on the screen are redrawn.
const TICK: Duration = Duration::from_millis(250);

pub(super) struct Screen {
    bars: MultiProgress,
    total: Option<ProgressBar>,
    under_way: HashMap<String, ProgressBar>,
}

impl Screen {
    pub(super) fn stdout() -> Self {
        Self {
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::stdout()),
            total: None,
            under_way: HashMap::new(),
        }
    }

    pub(super) fn begin(&mut self, name: &str) {
        let bar =
            ProgressBar::new_spinner().with_style(style("{spinner} {prefix} {elapsed} {wide_msg}"));
        let bar = match &self.total {
            Some(total) => self.bars.insert_before(total, bar),
            None => self.bars.add(bar),
        };
        bar.set_prefix(name.to_owned());
        bar.enable_steady_tick(TICK);
        self.under_way.insert(name.to_owned(), bar);
    }

    pub(super) fn say(&mut self, name: &str, message: &str) {
        if let Some(bar) = self.under_way.get(name) {
            bar.set_message(message.to_owned());
        }
    }

    pub(super) fn end(&mut self, name: &str) {
        if let Some(bar) = self.under_way.remove(name) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
    }

    pub(super) fn count(&mut self, ended: usize, selected: usize) {
        let bars = &self.bars;
        let total = self.total.get_or_insert_with(|| {
            let bar = ProgressBar::new(u64::try_from(selected).unwrap_or(u64::MAX));
            bars.add(bar.with_style(style("{bar:32} {pos} of {len} {elapsed}")))
        });
        total.set_position(u64::try_from(ended).unwrap_or(u64::MAX));
    }

    /// Prints with the moving lines out of the way.
    pub(super) fn aside(&self, print: impl FnOnce()) {
        self.bars.suspend(print);
    }

    pub(super) fn clear(self) {
        for bar in self.under_way.into_values().chain(self.total) {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
