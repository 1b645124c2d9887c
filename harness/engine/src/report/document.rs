//! A page as data, and its two forms: text for a terminal, and Markdown.
//!
//! On a terminal the end is what is read first, in Markdown the beginning. What stands in one of the two
//! only, or elsewhere in the other, is put into `terminal_only` and `markdown_only` of [`Document`].

use crate::util::text::printable;

/// Blocks below each other.
#[derive(Debug, Clone, Default)]
pub struct Document(Vec<(Option<Form>, Block)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Terminal,
    Markdown,
}

/// A part of a page, with an empty line between it and the next.
#[derive(Debug, Clone)]
pub(crate) enum Block {
    /// The sentence that a whole page is about.
    Title(String),
    /// A line of text.
    Paragraph(Span),
    /// Lines as they are; of Markdown, nothing is known to have such.
    Lines(Vec<String>),
    /// Things one below the other.
    List(Vec<Item>),
    /// Things with the same facts of each.
    Table {
        columns: Vec<Column>,
        rows: Vec<Row>,
    },
    /// More about one thing, folded where that is possible.
    Details {
        summary: String,
        claim: String,
        lines: Vec<String>,
    },
    /// Blocks below a title, which begins with a small letter.
    Section(&'static str, Document),
}

/// A piece of text.
#[derive(Debug, Clone)]
pub(crate) enum Span {
    Plain(String),
    /// A name or a command.
    Code(String),
    Strong(String),
    Link(String),
}

/// A thing in a list.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) texts: Vec<Span>,
    pub(crate) fields: Vec<Field>,
}

/// A fact of a thing in a list.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) label: &'static str,
    pub(crate) value: Span,
    /// What joins it to the line before it; without, it has a line of its own. On a terminal, where lines
    /// are short, it always has one.
    pub(crate) joint: Option<&'static str>,
}

/// A column of a table.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    name: String,
    /// Its name on a terminal.
    short: String,
    /// Numbers stand under each other by their ends.
    number: bool,
}

/// A row of a table.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) cells: Vec<Span>,
    /// The row on a terminal, in the place of its cells where they are too long for columns.
    pub(crate) lines: Vec<String>,
}

impl Document {
    pub(crate) fn push(&mut self, block: Block) {
        self.0.push((None, block));
    }

    pub(crate) fn terminal_only(&mut self, block: Block) {
        self.0.push((Some(Form::Terminal), block));
    }

    pub(crate) fn markdown_only(&mut self, block: Block) {
        self.0.push((Some(Form::Markdown), block));
    }

    /// Adds a section with `block`, unless that `is_empty`.
    pub(crate) fn section(&mut self, title: &'static str, is_empty: bool, block: Block) {
        if !is_empty {
            self.push(Block::Section(title, Self(vec![(None, block)])));
        }
    }

    fn blocks(&self, form: Form) -> impl Iterator<Item = &Block> {
        let of_form =
            move |(only, _): &&(Option<Form>, Block)| only.is_none_or(|only| only == form);
        self.0.iter().filter(of_form).map(|(_, block)| block)
    }

    /// The page for a terminal.
    #[must_use]
    pub fn terminal(&self) -> String {
        let mut text = String::new();
        for block in self.blocks(Form::Terminal) {
            if !text.is_empty() {
                text.push('\n');
            }
            for line in block.lines() {
                text += &line;
                text.push('\n');
            }
        }
        text
    }

    /// The page in Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let blocks: Vec<String> = self.blocks(Form::Markdown).map(Block::markdown).collect();
        blocks.join("\n\n") + "\n"
    }
}

impl Block {
    fn lines(&self) -> Vec<String> {
        match self {
            Self::Title(text) => vec![printable(text)],
            Self::Paragraph(text) => vec![text.plain()],
            Self::Lines(lines) => lines.clone(),
            Self::List(items) => items.iter().flat_map(Item::lines).collect(),
            Self::Table { columns, rows } => match rows.iter().any(|row| !row.lines.is_empty()) {
                true => rows.iter().flat_map(|row| row.lines.clone()).collect(),
                false => aligned(columns, rows),
            },
            Self::Details { summary, lines, .. } => {
                let lines = lines.iter().map(|line| format!("    {line}"));
                std::iter::once(summary.clone()).chain(lines).collect()
            }
            Self::Section(title, document) => {
                let blocks = document.blocks(Form::Terminal);
                let lines = blocks.flat_map(|block| block.lines());
                let indented = lines.map(|line| format!("  {line}"));
                std::iter::once((*title).to_owned())
                    .chain(indented)
                    .collect()
            }
        }
    }

    fn markdown(&self) -> String {
        match self {
            Self::Title(text) => format!("# {}", escaped(text)),
            Self::Paragraph(text) => text.markdown(),
            Self::Lines(lines) => lines.join("\n"),
            Self::List(items) => joined(items.iter().map(Item::markdown), "\n"),
            Self::Table { columns, rows } => {
                let row = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
                let names = columns.iter().map(|column| escaped(&column.name));
                let rule = columns.iter().map(|column| match column.number {
                    true => "---:".to_owned(),
                    false => "---".to_owned(),
                });
                let head = [row(names.collect()), row(rule.collect())];
                let rows = rows
                    .iter()
                    .map(|one| row(one.cells.iter().map(Span::markdown).collect()));
                joined(head.into_iter().chain(rows), "\n")
            }
            Self::Details {
                summary,
                claim,
                lines,
            } => format!(
                "<details><summary>{summary}</summary>\n\n{}\n\n```text\n{}\n```\n\n</details>",
                escaped(claim),
                lines.join("\n").replace("```", "'''")
            ),
            Self::Section(title, document) => {
                let (first, rest) = title.split_at(1);
                let blocks = document.blocks(Form::Markdown).map(Block::markdown);
                let title = format!("## {}{rest}", first.to_uppercase());
                joined(std::iter::once(title).chain(blocks), "\n\n")
            }
        }
    }
}

impl Item {
    /// One without fields.
    pub(crate) fn of(texts: impl Into<Vec<Span>>) -> Self {
        Self {
            texts: texts.into(),
            fields: vec![],
        }
    }

    fn lines(&self) -> Vec<String> {
        let fields = self.fields.iter();
        let fields = fields.map(|field| format!("  {:<8}  {}", field.label, field.value.plain()));
        let first = joined(self.texts.iter().map(Span::plain), "");
        std::iter::once(first).chain(fields).collect()
    }

    fn markdown(&self) -> String {
        let mut text = format!("- {}", joined(self.texts.iter().map(Span::markdown), ""));
        for Field {
            label,
            value,
            joint,
        } in &self.fields
        {
            match joint {
                Some(joint) => text += joint,
                None => text += &format!("\n  - {label}: "),
            }
            text += &value.markdown();
        }
        text
    }
}

impl Column {
    /// A column of text.
    pub(crate) fn text(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            short: name.to_owned(),
            number: false,
        }
    }

    /// A column of numbers, which is called `short` on a terminal.
    pub(crate) fn number(name: &str, short: &str) -> Self {
        Self {
            short: short.to_owned(),
            number: true,
            ..Self::text(name)
        }
    }
}

impl Row {
    /// One that is its cells in either form.
    pub(crate) fn of(cells: Vec<Span>) -> Self {
        Self {
            cells,
            lines: vec![],
        }
    }
}

impl Span {
    fn plain(&self) -> String {
        let (Self::Plain(text) | Self::Code(text) | Self::Strong(text) | Self::Link(text)) = self;
        printable(text)
    }

    fn markdown(&self) -> String {
        match self {
            Self::Plain(text) => escaped(text),
            Self::Code(text) => format!("`{text}`"),
            Self::Strong(text) => format!("**{}**", escaped(text)),
            Self::Link(text) => format!("<{text}>"),
        }
    }
}

impl From<&str> for Span {
    fn from(text: &str) -> Self {
        Self::Plain(text.to_owned())
    }
}

impl From<String> for Span {
    fn from(text: String) -> Self {
        Self::Plain(text)
    }
}

/// The rows of a table in columns that are as wide as what is in them.
fn aligned(columns: &[Column], rows: &[Row]) -> Vec<String> {
    let head = columns.iter().map(|column| column.short.clone()).collect();
    let cells = rows
        .iter()
        .map(|row| row.cells.iter().map(Span::plain).collect());
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(cells).collect();
    let width = |position: usize| rows.iter().map(|row| row[position].chars().count()).max();
    let widths: Vec<usize> = (0..columns.len()).filter_map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).zip(columns);
        let cells = cells.map(|((cell, width), column)| match column.number {
            true => format!("{cell:>width$}"),
            false => format!("{cell:<width$}"),
        });
        joined(cells, "  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn joined(parts: impl Iterator<Item = String>, between: &str) -> String {
    parts.collect::<Vec<_>>().join(between)
}

/// `text` in one line, with nothing that Markdown or HTML would read.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in printable(text).chars() {
        match c {
            '\n' => out.push(' '),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' => out.extend(['\\', c]),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            c => out.push(c),
        }
    }
    out
}
