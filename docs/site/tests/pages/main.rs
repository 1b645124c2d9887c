//! The site of this repository's pages: its links lead to files and headings in it, no page is left out, and in a real
//! browser nothing sticks out of a phone or a desktop, light and dark.
//!
//! The pictures are left in the target folder, `tmp/site`.

#[path = "../../../../harness/engine/tests/page/browser.rs"]
#[expect(dead_code, reason = "pages of the site have no controls to click")]
mod browser;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use browser::Browser;
use serde_json::json;
use spawnlab_site::site;

fn repository() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("a repository")
}

/// The site, and its pages by their paths in it.
fn made() -> (tempfile::TempDir, BTreeMap<PathBuf, String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().try_into().expect("UTF-8");
    let root = repository();
    let count = site::make(root.as_path().try_into().expect("UTF-8"), to).expect("a site");
    let mut files = vec![];
    files_below(folder.path(), "html", &mut files);
    assert_eq!(files.len(), count);
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).expect("readable");
        (file, text)
    };
    (folder, files.into_iter().map(read).collect())
}

/// The files below `folder` that end with `ending`, but for those of builds.
fn files_below(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str());
        let is_built = name.is_some_and(|name| name.starts_with('.') && path.is_dir())
            || path.join("CACHEDIR.TAG").exists()
            || name == Some("target");
        if path.is_dir() && !is_built {
            files_below(&path, ending, found);
        } else if path.extension().is_some_and(|is| is == ending) {
            found.push(path);
        }
    }
}

#[test]
fn every_link_of_the_site_leads_to_a_file_and_a_heading() {
    let (_folder, pages) = made();
    let (mut seen, mut broken) = (0, vec![]);
    for (file, text) in &pages {
        for name in [" href=\"", " src=\""] {
            for rest in text.split(name).skip(1) {
                // As minijinja escapes a slash.
                let link = rest.split('"').next().expect("an end");
                let link = link.replace("&#x2f;", "/");
                if link.contains("://") {
                    continue;
                }
                seen += 1;
                let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
                let target = match path {
                    "" => file.clone(),
                    path => file.parent().expect("a folder").join(path),
                };
                let is_there = target.canonicalize().is_ok_and(|target| {
                    let id = format!(" id=\"{anchor}\"");
                    anchor.is_empty() || pages[&target].contains(&id)
                });
                if !is_there {
                    broken.push(format!("{}: {link}", file.display()));
                }
            }
        }
    }
    assert!(seen > 500, "only {seen} links were found");
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

#[test]
fn every_markdown_file_of_the_repository_is_a_page() {
    let (folder, pages) = made();
    let root = repository();
    let mut files = vec![];
    files_below(&root, "md", &mut files);
    let is_missing = |file: &PathBuf| {
        let path = file.strip_prefix(&root).expect("below the root");
        let path = path.to_str().expect("UTF-8");
        let output = spawnlab_site::links::output(path.into());
        !pages.contains_key(&folder.path().join(output))
    };
    let missing: Vec<_> = files.iter().filter(|file| is_missing(file)).collect();
    assert!(files.len() > 15, "{files:?}");
    assert!(missing.is_empty(), "no page leads to {missing:#?}");
}

#[test]
fn a_link_that_leads_nowhere_is_told_with_its_page() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("README.md"), "# A\n\n[b](docs/b.md)\n").expect("written");
    let from = folder.path().try_into().expect("UTF-8");
    let to = folder.path().join("site");
    let error = site::make(from, to.as_path().try_into().expect("UTF-8")).expect_err("no site");
    assert_eq!(
        error.to_string(),
        "README.md: the link docs/b.md leads to no file; next: mend it"
    );
}

/// What sticks out of the window, or of a box in it.
const CUT_OFF: &str = "const wide = [...document.querySelectorAll('pre, table, td, main, nav, img')] \
     .filter(one => one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0 || one.getBoundingClientRect().right > innerWidth + 1) \
     .map(one => one.tagName + ': ' + one.scrollWidth + ' pixels in ' + one.clientWidth + ': ' + one.textContent.slice(0, 40)); \
     const all = document.documentElement; \
     if (all.scrollWidth > innerWidth) wide.push('the page: ' + all.scrollWidth); return wide";

#[test]
fn nothing_sticks_out_of_a_page() {
    if !browser::is_there() {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "chromium and chromedriver are not here: next: ci/install test"
        );
        eprintln!("left out: chromium and chromedriver are not here");
        return;
    }
    let (folder, pages) = made();
    let browser = Browser::start();
    let mut backs = vec![];
    for (width, scheme) in [
        (360, "light"),
        (360, "dark"),
        (1400, "light"),
        (1400, "dark"),
    ] {
        browser.cdp(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 400 }),
        );
        browser.cdp(
            "Emulation.setEmulatedMedia",
            json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] }),
        );
        for file in pages.keys() {
            browser.open(file);
            let name = file.strip_prefix(folder.path()).expect("below").display();
            assert_eq!(browser.run(CUT_OFF), json!([]), "{name}, {width}, {scheme}");
            let pictures =
                "return [...document.images].filter(one => one.naturalWidth === 0).length";
            assert_eq!(browser.run(pictures), 0, "{name}: a picture is missing");
        }
        for name in [
            "index",
            "docs/reports",
            "docs/run",
            "docs/performance",
            "harness/index",
        ] {
            browser.open(&folder.path().join(format!("{name}.html")));
            keep(
                &format!("{}-{width}-{scheme}", name.replace('/', "-")),
                &browser.picture(true),
            );
        }
        backs.push(browser.run("return getComputedStyle(document.body).backgroundColor"));
        assert_eq!(browser.console(), [""; 0], "{width}, {scheme}");
    }
    assert_ne!(backs[0], backs[1], "dark is another colour");
    // What sticks out would be seen.
    browser.run("document.querySelector('main').style.width = '3000px'");
    assert_ne!(browser.run(CUT_OFF), json!([]));
}

fn keep(name: &str, picture: &[u8]) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("site");
    fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join(format!("{name}.png"));
    fs::write(&file, picture).expect("written");
    eprintln!("{}", file.display());
}
