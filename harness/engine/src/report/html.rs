//! `report.html`: a run on one page, for people.
//!
//! The page is one file that needs nothing else: no network, no server, and no JavaScript, which only
//! filters and searches what is there without it. It is a pure function of [`Sources`]: the run, the
//! texts of its evidence, and the runs before it.
//!
//! It is bounded: logs are cut, those of scenarios that passed first, and the page says where. A
//! text that anybody wrote (a console, a journal, a claim) is escaped by the template engine and has
//! nothing left that could steer a reader's eye.

mod history;
mod logs;
mod page;
mod problem;
mod sources;
#[cfg(test)]
mod tests;
mod timeline;
mod words;

pub use sources::{Part, ScenarioSources, Sources};

use std::io;

use camino::Utf8Path;
use minijinja::{AutoEscape, Environment, HtmlEscape, Value, context};

use super::{file, run::Run};

/// The page's name in a report's folder.
pub const FILE: &str = "report.html";

const PAGE: &str = include_str!("html/page.html");
const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");

/// The most bytes of logs on a page; what is around them is small.
pub const LOGS: usize = 12 << 20;

/// Writes the page of `run` into its folder `dir`, of what is there.
///
/// # Errors
/// The file can't be written.
pub fn write(run: &Run, dir: &Utf8Path) -> io::Result<()> {
    let text = render(&Sources::read(run, dir)).map_err(io::Error::other)?;
    file::replace(&dir.join(FILE), &text)
}

/// `sources` as the text of `report.html`.
///
/// # Errors
/// None that data can cause: the template is a part of the program.
pub fn render(sources: &Sources) -> Result<String, minijinja::Error> {
    rendered(sources, LOGS)
}

/// `name` with places where a narrow window may break it.
fn breakable(name: &str) -> Value {
    let escaped = HtmlEscape(name).to_string();
    Value::from_safe_string(escaped.replace('_', "_<wbr>").replace("::", "::<wbr>"))
}

fn rendered(sources: &Sources, budget: usize) -> Result<String, minijinja::Error> {
    let mut templates = Environment::new();
    templates.set_auto_escape_callback(|_| AutoEscape::Html);
    templates.set_trim_blocks(true);
    templates.set_lstrip_blocks(true);
    templates.add_filter("breakable", breakable);
    templates.add_template("page", PAGE)?;
    let page = page::of(sources, budget);
    templates
        .get_template("page")?
        .render(context! { page, style => STYLE, script => SCRIPT })
}
