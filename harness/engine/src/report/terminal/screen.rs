//! Draws the moving lines below what was printed, and takes them away again.

use std::{
    io::{self, Write},
    os::fd::AsFd,
};

use rustix::termios::tcgetwinsize;
use unicode_width::UnicodeWidthStr;

use super::view::Window;
use crate::util::text::printable;

/// Rows and columns of the window, asked anew each time: windows are resized.
pub(super) type Size = Box<dyn Fn() -> (usize, usize) + Send>;

pub(super) struct Screen {
    size: Size,
    /// How wide each of the lines is that stand there now.
    drawn: Vec<usize>,
}

impl Screen {
    pub(super) fn new(size: Size) -> Self {
        Self {
            size,
            drawn: vec![],
        }
    }

    /// The window of `stream`: standard output, or standard error.
    pub(super) fn of<F: AsFd + 'static>(stream: fn() -> F) -> Self {
        Self::new(Box::new(move || {
            tcgetwinsize(stream()).map_or((24, 80), |size| {
                let or = |size: u16, other| if size == 0 { other } else { usize::from(size) };
                (or(size.ws_row, 24), or(size.ws_col, 80))
            })
        }))
    }

    pub(super) fn window(&self, colour: bool) -> Window {
        let (rows, columns) = (self.size)();
        Window {
            columns,
            rows,
            colour,
        }
    }

    /// Prints `above`, which stays, and below it `lines`, which take the place of those that stand
    /// there now. One write: nothing flickers.
    pub(super) fn draw(
        &mut self,
        out: &mut dyn Write,
        above: &str,
        lines: &[String],
    ) -> io::Result<()> {
        let (_, columns) = (self.size)();
        let mut sent = String::new();
        if !self.drawn.is_empty() {
            // In a window that has become narrower, terminals break the lines that were there.
            let rows: usize = self
                .drawn
                .iter()
                .map(|width| width.div_ceil(columns.max(1)).max(1))
                .sum();
            sent.push('\r');
            if rows > 1 {
                sent += &format!("\u{1b}[{}A", rows - 1);
            }
            sent += "\u{1b}[J";
        }
        sent += above;
        sent += &lines.join("\n");
        self.drawn = lines.iter().map(|line| printable(line).width()).collect();
        out.write_all(sent.as_bytes())?;
        out.flush()
    }
}
