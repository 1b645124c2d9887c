//! What is on a terminal's screen as SVG, the same on every machine.

use anstyle_svg::{Term, WIN10_CONSOLE};

/// Pixels for a column. The fonts that may show the picture take between 7.7 and 8.7 of them, and none is to be cut off.
const COLUMN: usize = 9;

/// The rows of `screen` up to the last one that is not empty, in a picture as wide as the screen.
pub(super) fn svg(screen: &vt100::Screen) -> String {
    let (rows, columns) = screen.size();
    let rows: Vec<String> = (0..rows).map(|row| ansi(screen, row, columns)).collect();
    let used = rows.iter().rposition(|row| !row.is_empty());
    let rows = &rows[..used.map_or(0, |last| last + 1)];
    let term = Term::new()
        .palette(WIN10_CONSOLE)
        .min_width_px(usize::from(columns) * COLUMN);
    scaled(&term.render_svg(&rows.join("\n")))
}

/// A picture without a `viewBox` is cut off, and not made smaller, where a page has less room.
fn scaled(svg: &str) -> String {
    let size = |name: &str| {
        let rest = svg.split_once(&format!("{name}=\"")).expect("a size").1;
        rest.split_once("px\"").expect("in pixels").0.to_owned()
    };
    let view = format!(
        "<svg viewBox=\"0 0 {} {}\" ",
        size("svg width"),
        size("height")
    );
    svg.replacen("<svg ", &view, 1)
}

/// A row with a command for colours where they change, without the blanks at its end.
fn ansi(screen: &vt100::Screen, row: u16, columns: u16) -> String {
    let (mut text, mut blanks, mut style) = (String::new(), 0, String::new());
    let cells = (0..columns).filter_map(|column| screen.cell(row, column));
    for cell in cells.filter(|cell| !cell.is_wide_continuation()) {
        let letter = cell.contents();
        if letter.trim().is_empty() {
            blanks += 1;
            continue;
        }
        let mut is = String::from("\u{1b}[0");
        if cell.bold() {
            is += ";1";
        }
        if let vt100::Color::Idx(number) = cell.fgcolor() {
            is += &format!(";38;5;{number}");
        }
        is.push('m');
        text += &" ".repeat(std::mem::take(&mut blanks));
        if is != style {
            text += &is;
            style = is;
        }
        text += letter;
    }
    text
}

#[test]
fn columns_colours_and_signs_are_those_of_the_screen() {
    let mut parser = vt100::Parser::new(4, 40, 0);
    parser.process(b"\x1b[31mfailed\x1b[0m   a <b>\r\n\r\n\x1b[1mlast\x1b[0m one");
    insta::assert_snapshot!(svg(parser.screen()));
}
