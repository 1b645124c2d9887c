//! The site: every file that is reached by links from the README, as a page, and the pictures on them.

use std::collections::{BTreeMap, VecDeque};

use camino::{Utf8Path, Utf8PathBuf};
use minijinja::{AutoEscape, Environment, context};

use crate::{
    links::{self, Target},
    markdown::{self, Heading},
};

/// The page that a reader opens first.
pub const INDEX: &str = "index.html";
/// The file of the repository that it is made of, and the heading below which it lists the pages.
const FIRST: &str = "README.md";
const LIST: &str = "Documentation";

/// Why there is no site.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file can't be read or written.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// A link of a page leads to no file.
    #[error("{page}: the link {link} leads to no file; next: mend it")]
    Link {
        /// The page, relative to the repository's root.
        page: Utf8PathBuf,
        /// As the page has it.
        link: String,
    },
    /// The template of pages does not fit what pages have.
    #[error("the template of a page: {0}")]
    Template(#[from] minijinja::Error),
}

/// A file of the repository that becomes a page.
struct Page {
    title: String,
    headings: Vec<Heading>,
    html: String,
    code: Option<String>,
}

/// Makes the site of `repository` in `folder`, over what is there. Returns how many pages it has.
///
/// # Errors
/// A file that can't be read or written, and a link that leads to no file.
pub fn make(repository: &Utf8Path, folder: &Utf8Path) -> Result<usize, Error> {
    let first = fs_err::read_to_string(repository.join(FIRST))?;
    let listed = markdown::links_below(&first, LIST);
    let mut pages = BTreeMap::new();
    let mut ahead = VecDeque::from([Utf8PathBuf::from(FIRST)]);
    while let Some(path) = ahead.pop_front() {
        if pages.contains_key(&path) {
            continue;
        }
        let (page, leads_to) = read(repository, &path)?;
        for file in leads_to {
            if links::is_picture(&file) {
                let to = folder.join(&file);
                fs_err::create_dir_all(to.parent().unwrap_or(folder))?;
                fs_err::copy(repository.join(&file), to)?;
            } else {
                ahead.push_back(file);
            }
        }
        pages.insert(path, page);
    }
    let template = template()?;
    for (path, page) in &pages {
        let output = links::output(path);
        let to = folder.join(&output);
        fs_err::create_dir_all(to.parent().unwrap_or(folder))?;
        fs_err::write(to, filled(&template, &listed, &output, page)?)?;
    }
    Ok(pages.len())
}

/// The page of the file `path`, and the files that it leads to.
fn read(repository: &Utf8Path, path: &Utf8Path) -> Result<(Page, Vec<Utf8PathBuf>), Error> {
    let text = fs_err::read_to_string(repository.join(path))?;
    if path.extension() != Some("md") {
        let page = Page {
            title: path.to_string(),
            headings: vec![],
            html: String::new(),
            code: Some(text),
        };
        return Ok((page, vec![]));
    }
    let mut leads_to = vec![];
    let rendered = markdown::render(&text, |link| {
        let Target::File(file, anchor) = links::target(path, link) else {
            return Ok(link.to_owned());
        };
        if !repository.join(&file).is_file() {
            let (page, link) = (path.to_owned(), link.to_owned());
            return Err(Error::Link { page, link });
        }
        let mut to = links::relative(&links::output(path), &links::output(&file));
        if !anchor.is_empty() {
            to = format!("{to}#{anchor}");
        }
        leads_to.push(file);
        Ok(to)
    })?;
    let page = Page {
        title: rendered.title,
        headings: rendered.headings,
        html: rendered.html,
        code: None,
    };
    Ok((page, leads_to))
}

fn template() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_template("page", include_str!("page.html"))?;
    Ok(environment)
}

/// The text of a page, with the list of all pages beside it.
fn filled(
    template: &Environment<'_>,
    listed: &[markdown::Link],
    output: &Utf8Path,
    page: &Page,
) -> Result<String, Error> {
    let entry = |(name, link): &markdown::Link| match links::target(FIRST.into(), link) {
        Target::Web => None,
        Target::File(file, _) => {
            let is = links::output(&file);
            let (to, here) = (links::relative(output, &is), is == output);
            Some(context! { name, to, here })
        }
    };
    let list: Vec<_> = listed.iter().filter_map(entry).collect();
    let text = template.get_template("page")?.render(context! {
        title => page.title,
        headings => page.headings,
        html => page.html,
        code => page.code,
        first => links::relative(output, INDEX.into()),
        is_first => output == INDEX,
        list,
        style => include_str!("style.css"),
    })?;
    Ok(text)
}
