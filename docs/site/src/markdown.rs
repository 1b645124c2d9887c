//! A Markdown text as HTML, with the headings that can be linked to.

use std::collections::BTreeMap;

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// A text that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The first heading.
    pub title: String,
    /// The headings below it, of the second level, each with its anchor.
    pub headings: Vec<Heading>,
    /// All of it.
    pub html: String,
}

/// A heading, and what a link calls it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Heading {
    /// As GitHub makes it.
    pub anchor: String,
    /// Its words.
    pub text: String,
}

/// A link's words, and where it leads.
pub type Link = (String, String);

/// The events of `text`. HTML in it is text as well: no page has any, and none is to get into the site.
fn events(text: &str) -> Vec<Event<'_>> {
    let plain = |event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        event => event,
    };
    Parser::new_ext(text, Options::ENABLE_TABLES)
        .map(plain)
        .collect()
}

/// `text` as HTML, where `link` says what each link and picture becomes.
///
/// # Errors
/// The first one of `link`.
pub fn render<E>(
    text: &str,
    mut link: impl FnMut(&str) -> Result<String, E>,
) -> Result<Rendered, E> {
    let mut events = events(text);
    let mut headings = vec![];
    let mut seen = BTreeMap::new();
    for number in 0..events.len() {
        let (event, behind) = events[number..].split_first_mut().expect("it is there");
        match event {
            Event::Start(Tag::Heading { level, id, .. }) => {
                let words = words(behind);
                let anchor = anchor(&words, &mut seen);
                *id = Some(anchor.clone().into());
                let heading = Heading {
                    anchor,
                    text: words,
                };
                headings.push((*level as u8, heading));
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                *dest_url = link(dest_url)?.into();
            }
            _ => {}
        }
    }
    let mut html = String::new();
    html::push_html(&mut html, tables(events).into_iter());
    let first = headings.first().map(|(_, heading)| heading.text.clone());
    let second = headings.into_iter().filter(|(level, _)| *level == 2);
    Ok(Rendered {
        title: first.unwrap_or_default(),
        headings: second.map(|(_, heading)| heading).collect(),
        html,
    })
}

/// The links below the heading `name`, up to the next heading.
#[must_use]
pub fn links_below(text: &str, name: &str) -> Vec<Link> {
    let (mut below, mut links) = (false, vec![]);
    let events = events(text);
    for (number, event) in events.iter().enumerate() {
        let words = || words(&events[number + 1..]);
        match event {
            Event::Start(Tag::Heading { .. }) => below = words() == name,
            Event::Start(Tag::Link { dest_url, .. }) if below => {
                links.push((words(), dest_url.to_string()));
            }
            _ => {}
        }
    }
    links
}

/// The words up to the end of what has begun before `events`.
fn words(events: &[Event<'_>]) -> String {
    let mut words = String::new();
    for event in events {
        match event {
            Event::Text(text) | Event::Code(text) => words += text,
            Event::SoftBreak => words.push(' '),
            Event::End(TagEnd::Heading(_) | TagEnd::Link | TagEnd::Image | TagEnd::TableCell) => {
                break;
            }
            _ => {}
        }
    }
    words
}

/// The anchor of a heading, as GitHub makes it; the second one of a name has a number.
fn anchor(words: &str, seen: &mut BTreeMap<String, usize>) -> String {
    let kept = |letter: &char| letter.is_alphanumeric() || " -_".contains(*letter);
    let anchor: String = words.to_lowercase().chars().filter(kept).collect();
    let anchor = anchor.replace(' ', "-");
    let count = seen.entry(anchor.clone()).or_default();
    *count += 1;
    match *count {
        1 => anchor,
        more => format!("{anchor}-{}", more - 1),
    }
}

/// Tables whose cells know their column's heading: a narrow window shows a row as a list.
fn tables(events: Vec<Event<'_>>) -> Vec<Event<'_>> {
    let (mut made, mut heads) = (vec![], Vec::<String>::new());
    let (mut column, mut in_head) = (0, false);
    let tail = |number: usize| words(&events[number + 1..]);
    for (number, event) in events.iter().enumerate() {
        let own = match event {
            Event::Start(Tag::Table(_)) => {
                heads.clear();
                "<table>\n".to_owned()
            }
            Event::Start(Tag::TableHead) => {
                in_head = true;
                "<thead><tr>".to_owned()
            }
            Event::End(TagEnd::TableHead) => {
                in_head = false;
                "</tr></thead>\n".to_owned()
            }
            Event::Start(Tag::TableRow) => {
                column = 0;
                "<tr>".to_owned()
            }
            Event::End(TagEnd::TableRow) => "</tr>\n".to_owned(),
            Event::Start(Tag::TableCell) if in_head => {
                heads.push(tail(number));
                "<th>".to_owned()
            }
            Event::End(TagEnd::TableCell) if in_head => "</th>".to_owned(),
            Event::Start(Tag::TableCell) => {
                let mut head = String::new();
                let of_column = heads.get(column).cloned().unwrap_or_default();
                html::push_html(&mut head, std::iter::once(Event::Text(of_column.into())));
                let head = head.replace('"', "&quot;");
                column += 1;
                format!("<td data-head=\"{head}\">")
            }
            Event::End(TagEnd::TableCell) => "</td>".to_owned(),
            Event::End(TagEnd::Table) => "</table>\n".to_owned(),
            event => {
                made.push(event.clone());
                continue;
            }
        };
        made.push(Event::Html(CowStr::from(own)));
    }
    made
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    const TEXT: &str = "# A `page` & more\n\nSee [there](b.md#c), ![a picture](d.png), <b>.\n\n## Two\n\n## Two\n\n\
        | one | `two` |\n| --- | --- |\n| a | [b](e.md) \\| `c` |\n\n    indented <code>\n";

    fn rendered(text: &str) -> Rendered {
        let link = |link: &str| Ok::<_, Infallible>(format!("at/{link}"));
        render(text, link).expect("no link is broken")
    }

    #[test]
    fn a_page_has_anchors_links_and_tables() {
        insta::assert_snapshot!(rendered(TEXT).html);
    }

    #[test]
    fn a_page_says_what_it_is_called_and_what_is_below() {
        let rendered = rendered(TEXT);
        assert_eq!(rendered.title, "A page & more");
        let anchors: Vec<_> = rendered.headings.iter().map(|one| &one.anchor).collect();
        assert_eq!(anchors, ["two", "two-1"]);
    }

    #[test]
    fn links_below_a_heading_are_found() {
        let text = "# A\n[no](a.md)\n## B\n| [x `y`](b.md), [z](c.md) |\n## C\n[no](d.md)\n";
        let found = links_below(text, "B");
        let found: Vec<_> = found
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        assert_eq!(found, [("x y", "b.md"), ("z", "c.md")]);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_an_error() {
        let broken = render("[a](b.md)", |link| Err::<String, _>(link.to_owned()));
        assert_eq!(broken, Err("b.md".to_owned()));
    }
}
