//! `report.html` in a real browser: it opens from a file with nothing on the console, fits a phone and a
//! desktop, light and dark, does what its controls say, and runs nothing that a log says.
//!
//! The pictures are left in the target folder, `tmp/page`.

mod browser;
mod picture;
mod sample;

use std::path::{Path, PathBuf};

use browser::Browser;
use serde_json::{Value, json};
use spawnlab::report::{html, json as run_json};

/// Width, height, and whether it is a phone.
const WINDOWS: [(&str, u32, u32, bool); 3] = [
    ("phone", 360, 800, true),
    ("narrow", 420, 800, false),
    ("desktop", 1400, 900, false),
];

/// The logs in which something sticks out. Rows that are not on the screen have no width unless they are made visible.
const CUT_OFF: &str = "const logs = [...document.querySelectorAll('#s2 .log')]; \
     for (const row of document.querySelectorAll('#s2 .log .r')) row.style.contentVisibility = 'visible'; \
     return logs.filter(log => log.scrollWidth > log.clientWidth) \
     .map(log => log.scrollWidth + ' pixels in ' + log.clientWidth)";

/// The sample's page, or none where there is no browser.
fn browser_and_page() -> Option<(Browser, PathBuf, tempfile::TempDir)> {
    if !browser::is_there() {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "chromium and chromedriver are not here: next: ci/install test"
        );
        eprintln!("left out: chromium and chromedriver are not here");
        return None;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join(sample::make(folder.path()));
    let text = std::fs::read_to_string(dir.join("run.json")).expect("a run");
    let run = run_json::read(&text).expect("a run");
    html::write(&run, dir.as_path().try_into().expect("UTF-8")).expect("written");
    Some((Browser::start(), dir.join("report.html"), folder))
}

fn show(browser: &Browser, page: &Path, width: u32, height: u32, phone: bool, scheme: &str) {
    browser.cdp(
        "Emulation.setDeviceMetricsOverride",
        json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone }),
    );
    browser.cdp(
        "Emulation.setEmulatedMedia",
        json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] }),
    );
    browser.open(page);
}

fn keep(name: &str, picture: &[u8]) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join(format!("{name}.png"));
    std::fs::write(&file, picture).expect("written");
    eprintln!("{}", file.display());
}

/// R21: in a window of 420 pixels the page scrolled sideways.
#[test]
fn report_r21_it_fits_every_window_in_both_schemes() {
    let Some((browser, page, _folder)) = browser_and_page() else {
        return;
    };
    let mut backs = vec![];
    for (window, width, height, phone) in WINDOWS {
        for scheme in ["light", "dark"] {
            show(&browser, &page, width, height, phone, scheme);
            keep(&format!("{window}-{scheme}"), &browser.picture(true));
            backs.push(browser.run("return getComputedStyle(document.body).backgroundColor"));
            // Whatever is open, nothing sticks out.
            for open in ["false", "true"] {
                browser.run(&format!(
                    "for (const one of document.querySelectorAll('details')) one.open = {open}"
                ));
                let wide = "return [document.documentElement.scrollWidth, innerWidth]";
                let wide = browser.run(wide);
                assert!(
                    wide[0].as_u64() <= wide[1].as_u64() && wide[1] == width,
                    "{window}, {scheme}, open: {open}: {wide}"
                );
            }
            browser.open(&page);
            browser.click("#s2 > summary");
            browser.click("#s2 .logs > summary");
            // Nor does anything in a box of its own, which would scroll sideways.
            assert_eq!(
                browser.run(CUT_OFF),
                json!([]),
                "{window}, {scheme}: cut off in a log"
            );
            browser.run("document.querySelector('#s2').scrollIntoView()");
            keep(
                &format!("{window}-{scheme}-scenario"),
                &browser.picture(false),
            );
            assert_eq!(browser.console(), [""; 0], "{window}, {scheme}");
        }
    }
    assert_eq!((&backs[0], &backs[1]), (&backs[2], &backs[3]));
    assert_ne!(backs[0], backs[1], "dark is another colour");
    // What sticks out would be seen, and the console is really listened to.
    browser.run("document.body.style.width = '3000px'");
    let sticks_out = "return document.documentElement.scrollWidth > innerWidth";
    assert_eq!(browser.run(sticks_out), true);
    browser.run("console.error('heard')");
    assert_eq!(browser.console().len(), 1);
}

#[test]
fn its_controls_do_what_they_say() {
    let Some((browser, page, _folder)) = browser_and_page() else {
        return;
    };
    show(&browser, &page, 1280, 800, false, "light");
    let scenarios = || shown(&browser, ".scenario");
    assert_eq!(scenarios(), 16);
    browser.type_into("#find", "NAMES::");
    assert_eq!(scenarios(), 3);
    assert_eq!(shown(&browser, ".area"), 1);
    browser.type_into("#find", "no such scenario");
    assert_eq!((scenarios(), shown(&browser, "#none")), (0, 1));
    browser.type_into("#find", " ");
    browser.click("[data-word=failed]");
    browser.click("[data-word=skipped]");
    assert_eq!(scenarios(), 2);
    // A link leads to what the filter hides.
    browser.click(".attention li:nth-child(3) a");
    // The page hears of it only after the click is done.
    browser.until(
        "document.querySelector('#s14').open",
        "the link opens its scenario",
    );
    assert_eq!(scenarios(), 16);

    browser.run("document.querySelector('#s2').open = true");
    browser.run("document.querySelector('#s2 .logs').open = true");
    let rows = || shown(&browser, "#s2 .r");
    let all = rows();
    assert_eq!(all, 3_000, "no more than that of what failed");
    browser.click("#s2 [data-source=guest]");
    let guests = all - rows();
    assert!(guests > 1_000 && guests < all, "{guests} of {all}");
    browser.click("#s2 [data-source=guest]");
    assert_eq!(rows(), all);
    browser.type_into("#s2 .tools input", "address already in USE");
    let found = rows();
    assert!(found > 400 && found < 600, "{found}");
    let said = browser.run("return document.querySelector('#s2 output').value");
    assert_eq!(said, format!("{found} of {all}"));
    browser.run(
        "const level = document.querySelector('#s2 select'); level.value = 'err';
         level.dispatchEvent(new Event('change'))",
    );
    assert_eq!(rows(), found, "they are errors");
    browser.type_into("#s2 .tools input", "Gained");
    assert_eq!(rows(), 0, "and these are none");
    assert_eq!(browser.console(), [""; 0]);
}

fn shown(browser: &Browser, selector: &str) -> u64 {
    let count = format!(
        "return [...document.querySelectorAll('{selector}')].filter((one) => !one.hidden).length"
    );
    browser.run(&count).as_u64().expect("a number")
}

#[test]
fn what_a_log_says_is_only_shown() {
    let Some((browser, page, _folder)) = browser_and_page() else {
        return;
    };
    show(&browser, &page, 1280, 800, false, "light");
    browser.run("for (const one of document.querySelectorAll('details')) one.open = true");
    assert_eq!(browser.run("return window.owned"), Value::Null);
    let foreign =
        "return [document.scripts.length, document.images.length, document.links.length > 0]";
    assert_eq!(browser.run(foreign), json!([1, 0, true]));
    let text = "return document.querySelector('#s8').textContent";
    let text = browser.run(text);
    let text = text.as_str().expect("text");
    assert_eq!(
        text.matches(sample::HOSTILE).count(),
        4,
        "claim, journal twice, console"
    );
    assert!(text.contains("red \\u{202e}backwards") && !text.contains('\u{1b}'));
    assert!(text.contains("more characters)"));
    // And if something were to slip through: the page runs no other script than its own.
    let slipped =
        "const one = document.createElement('script'); one.textContent = 'window.owned = 1';
        document.body.append(one); return window.owned ?? null";
    assert_eq!(browser.run(slipped), Value::Null);
    assert!(
        browser
            .console()
            .iter()
            .all(|line| line.contains("Content Security Policy"))
    );
}

#[test]
fn it_can_be_read_without_javascript() {
    let Some((browser, page, _folder)) = browser_and_page() else {
        return;
    };
    browser.cdp(
        "Emulation.setScriptExecutionDisabled",
        json!({ "value": true }),
    );
    show(&browser, &page, 390, 844, true, "light");
    assert_eq!(
        shown(&browser, "#finder"),
        0,
        "what does nothing is not shown"
    );
    browser.click("#s1 > summary");
    browser.click("#s1 .logs > summary");
    let height = "return document.querySelector('#s1 .log').getBoundingClientRect().height";
    assert!(browser.run(height).as_f64() > Some(100.0));
    keep("phone-without-javascript", &browser.picture(false));
}
