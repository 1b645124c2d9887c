//! Where a link in a Markdown file leads, and what its target is called in the site.

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

/// What a link leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An address of the web.
    Web,
    /// A file of the repository, relative to its root, and a heading in it, which may be empty.
    File(Utf8PathBuf, String),
}

/// What `link` in the file `page` leads to; both paths are relative to the repository's root.
#[must_use]
pub fn target(page: &Utf8Path, link: &str) -> Target {
    if link.contains("://") || link.starts_with("mailto:") {
        return Target::Web;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let path = match path {
        "" => page.to_owned(),
        path => normal(&page.parent().unwrap_or("".into()).join(path)),
    };
    Target::File(path, anchor.to_owned())
}

/// `path` without `.` and `..`, of which none leads out of the repository.
fn normal(path: &Utf8Path) -> Utf8PathBuf {
    let mut normal = Utf8PathBuf::new();
    for part in path.components() {
        match part {
            Utf8Component::ParentDir => {
                normal.pop();
            }
            Utf8Component::Normal(name) => normal.push(name),
            _ => {}
        }
    }
    normal
}

/// What the file `path` of the repository is called in the site: a README is its folder's index, a picture keeps its
/// name, and all else is a page.
#[must_use]
pub fn output(path: &Utf8Path) -> Utf8PathBuf {
    match (path.file_name(), path.extension()) {
        (Some("README.md"), _) => path.with_file_name(super::site::INDEX),
        (_, Some("md")) => path.with_extension("html"),
        _ if is_picture(path) => path.to_owned(),
        _ => Utf8PathBuf::from(format!("{path}.html")),
    }
}

/// Whether `path` is shown as a picture.
#[must_use]
pub fn is_picture(path: &Utf8Path) -> bool {
    matches!(path.extension(), Some("png" | "svg"))
}

/// The link from the site's file `from` to its file `to`.
#[must_use]
pub fn relative(from: &Utf8Path, to: &Utf8Path) -> String {
    let up = from.components().count().saturating_sub(1);
    "../".repeat(up) + to.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("docs/run.md", "reports.md#hops", "docs/reports.md", "hops")]
    #[case("docs/run.md", "../ci/README.md", "ci/README.md", "")]
    #[case("docs/run.md", "#commands", "docs/run.md", "commands")]
    #[case("README.md", "./docs/../LICENSE", "LICENSE", "")]
    fn links_lead_to_files(
        #[case] page: &str,
        #[case] link: &str,
        #[case] path: &str,
        #[case] anchor: &str,
    ) {
        let is = target(page.into(), link);
        assert_eq!(is, Target::File(path.into(), anchor.into()));
    }

    #[test]
    fn addresses_of_the_web_are_left_alone() {
        assert_eq!(target("a.md".into(), "https://b/c.md"), Target::Web);
    }

    #[rstest::rstest]
    #[case("README.md", "index.html")]
    #[case("ci/README.md", "ci/index.html")]
    #[case("docs/run.md", "docs/run.html")]
    #[case("docs/live.svg", "docs/live.svg")]
    #[case("ci/known.toml", "ci/known.toml.html")]
    #[case("LICENSE", "LICENSE.html")]
    fn files_have_names_in_the_site(#[case] path: &str, #[case] name: &str) {
        assert_eq!(output(path.into()), name);
    }

    #[test]
    fn links_within_the_site_need_no_server() {
        let to = "ci/index.html".into();
        assert_eq!(relative("index.html".into(), to), "ci/index.html");
        assert_eq!(relative("docs/a/b.html".into(), to), "../../ci/index.html");
    }
}
