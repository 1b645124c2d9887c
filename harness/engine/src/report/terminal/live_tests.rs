//! What a person sees, on a terminal without a window.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use super::*;
use crate::util::text::printable;
use crate::{
    report::sample,
    verdict::{
        Verdict,
        event::{Record, Summary},
    },
};

#[derive(Clone)]
pub(super) struct VirtualScreen(Arc<Mutex<vt100::Parser>>);

impl VirtualScreen {
    fn new(rows: u16, columns: u16) -> Self {
        Self(Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 100))))
    }

    pub(super) fn parser(&self) -> MutexGuard<'_, vt100::Parser> {
        self.0.lock().expect("not poisoned")
    }

    fn text(&self) -> String {
        let text = self.parser().screen().contents();
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        lines.join("\n").trim_end().to_owned()
    }
}

impl Write for VirtualScreen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // As a terminal's line discipline has it.
        let text = String::from_utf8_lossy(bytes).replace('\n', "\r\n");
        self.parser().process(text.as_bytes());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A live view in a window of this size, with a memory in which booting takes 22 s.
fn live(rows: u16, columns: u16) -> (VirtualScreen, Display) {
    live_in(rows, columns, false)
}

pub(super) fn live_in(rows: u16, columns: u16, colours: bool) -> (VirtualScreen, Display) {
    let window = VirtualScreen::new(rows, columns);
    let size = window.clone();
    let screen = Screen::new(Box::new(move || {
        let (rows, columns) = size.parser().screen().size();
        (rows.into(), columns.into())
    }));
    let mut display = Display::new(Box::new(window.clone()), Mode::Live(screen), colours);
    display.typical = memory();
    (window, display)
}

fn memory() -> DurationHistory {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = camino::Utf8Path::from_path(folder.path()).expect("UTF-8");
    let path = path.join("durations.json");
    fs_err::write(&path, r#"{"layer booted": [22000, 21000, 25000]}"#).expect("written");
    DurationHistory::read(&path)
}

pub(super) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn started(selected: usize) -> Event {
    Event::RunStarted {
        selected,
        report_dir: "/runs/now".into(),
        request: None,
    }
}

fn step(name: &str) -> Event {
    Event::StepStarted { step: name.into() }
}

pub(super) fn scenario(name: &str) -> Event {
    Event::ScenarioStarted { name: name.into() }
}

pub(super) fn ended(name: &str, verdict: Verdict) -> Event {
    Event::ScenarioFinished(Box::new(Record {
        name: name.into(),
        verdict,
        ..sample::run().records.remove(0)
    }))
}

fn failed() -> Verdict {
    let mut records = sample::run().records.into_iter();
    let record = records.find(|record| matches!(record.verdict, Verdict::Failed(_)));
    record.expect("a failed one").verdict
}

/// Three scenarios of which one has failed, and two run.
fn in_the_middle(display: &mut Display) {
    display.tell_at(&started(12), seconds(0));
    display.tell_at(
        &scenario("networking::lease_comes_from_the_host"),
        seconds(60),
    );
    display.tell_at(&scenario("names::name_is_the_leased_address"), seconds(61));
    display.tell_at(&scenario("deploy::rollback"), seconds(61));
    display.tell_at(&ended("deploy::rollback", failed()), seconds(64));
    display.tick_at(seconds(75));
}

#[rstest::rstest]
#[case("of_usual", 12)]
#[case("slow", 40)]
fn a_layer_that_is_built(#[case] name: &str, #[case] after: u64) {
    let (window, mut display) = live(12, 80);
    display.tell_at(&started(51), seconds(0));
    display.tell_at(&step("layer booted"), seconds(1));
    let phase = Event::StepPhase {
        step: "layer booted".into(),
        phase: "waiting for its services",
    };
    display.tell_at(&phase, seconds(2));
    display.tick_at(seconds(1 + after));
    insta::assert_snapshot!(format!("live_layer_{name}"), window.text());
}

#[test]
fn an_image_of_which_nothing_is_known() {
    let (window, mut display) = live(12, 80);
    display.tell_at(&started(51), seconds(0));
    display.tell_at(&step("image debian-trixie"), seconds(0));
    let progress = Event::StepProgress {
        step: "image debian-trixie".into(),
        message:
            "\u{1b}[1mfetching\u{1b}[0m the host's packages with all that they depend on, and more"
                .into(),
    };
    display.tell_at(&progress, seconds(2));
    display.tick_at(seconds(95));
    insta::assert_snapshot!("live_image", window.text());
}

#[rstest::rstest]
#[case("wide", 80)]
#[case("narrow", 40)]
#[case("very_narrow", 14)]
fn scenarios_run_and_a_failure_stands_above(#[case] name: &str, #[case] columns: u16) {
    let (window, mut display) = live(40, columns);
    in_the_middle(&mut display);
    insta::assert_snapshot!(format!("live_scenarios_{name}"), window.text());
}

#[test]
fn more_runs_than_the_window_has_rows() {
    let (window, mut display) = live(6, 60);
    display.tell_at(&started(20), seconds(0));
    for number in 0..9 {
        display.tell_at(
            &scenario(&format!("deploy::number_{number}")),
            seconds(number),
        );
    }
    insta::assert_snapshot!("live_low_window", window.text());
}

#[test]
fn quiet_shows_nothing_that_moves() {
    let (window, mut display) = live(40, 80);
    display.volume = Volume::Quiet;
    in_the_middle(&mut display);
    display.tell_at(
        &ended("names::name_is_the_leased_address", Verdict::Passed),
        seconds(76),
    );
    insta::assert_snapshot!("live_quiet", window.text());
}

#[test]
fn nothing_that_moved_is_left_at_the_end() {
    let (window, mut display) = live(40, 80);
    in_the_middle(&mut display);
    display.tell_at(
        &ended("networking::lease_comes_from_the_host", Verdict::Passed),
        seconds(76),
    );
    display.tell_at(
        &ended("names::name_is_the_leased_address", Verdict::Passed),
        seconds(77),
    );
    let summary = Summary::of(&sample::run().records, false, seconds(77));
    display.tell_at(&Event::RunFinished(Box::new(summary)), seconds(77));
    insta::assert_snapshot!("live_end", window.text());
}

/// A window of another width breaks what stands there; all of it has to go.
#[rstest::rstest]
#[case(80, 30)]
#[case(30, 100)]
fn a_window_that_is_resized(#[case] before: u16, #[case] after: u16) {
    let (window, mut display) = live(30, before);
    in_the_middle(&mut display);
    // This terminal cuts lines off where others break them: what they would do is done by hand.
    let text = window.text();
    window.parser().screen_mut().set_size(30, after);
    window.parser().process(b"\x1b[H\x1b[J");
    let rewrapped = text.replace('\n', "\r\n");
    window.parser().process(rewrapped.as_bytes());
    display.tick_at(seconds(80));
    let text = window.text();
    for once in ["to go", "running", "names::n", "networking::lease_c"] {
        assert_eq!(text.matches(once).count(), 1, "{once}: {text}");
    }
}

#[test]
fn no_line_is_as_wide_as_the_window() {
    for columns in 1..120 {
        let (_, mut display) = live(24, columns);
        in_the_middle(&mut display);
        let shown = view::Window {
            columns: columns.into(),
            rows: 24,
            colour: true,
        };
        for line in display.view_lines(shown) {
            use unicode_width::UnicodeWidthStr;
            let width = printable(&line).width();
            assert!(width < usize::from(columns).max(2), "{columns}: {line:?}");
        }
    }
}

#[test]
fn a_comparison_moves_while_layers_are_made_and_a_failure_is_no_news() {
    let (window, mut display) = live(12, 72);
    display.compares = true;
    let step = || "layer booted".to_owned();
    display.tell_at(&started(4), seconds(0));
    let case = || "base".to_owned();
    display.tell_at(&Event::CaseStarted { case: case() }, seconds(0));
    display.tell_at(&Event::StepStarted { step: step() }, seconds(0));
    let phase = Event::StepPhase {
        step: step(),
        phase: "booting",
    };
    display.tell_at(&phase, seconds(1));
    display.tick_at(seconds(9));
    let booting = window.text();
    for event in sample::events() {
        if let Event::ScenarioStarted { .. } | Event::ScenarioFinished(_) = event {
            display.tell_at(&event, seconds(10));
        }
    }
    let name = "names::a.base.1".to_owned();
    display.tell_at(&Event::ScenarioStarted { name }, seconds(10));
    display.tick_at(seconds(12));
    let running = window.text();
    display.tell_at(&Event::RunFinished(Box::default()), seconds(13));
    let text = format!("{booting}\n----\n{running}\n----\n{}", window.text());
    insta::assert_snapshot!(text);
}

#[test]
fn what_waits_for_others_is_seen_as_long_as_it_does() {
    let (window, mut display) = live(12, 100);
    display.tell_at(&started(3), seconds(0));
    display.tell_at(&scenario("deploy::rollback"), seconds(1));
    let waits = Event::SlotsAwaited {
        name: "names::short".into(),
        what: "1 VM; process 7 (spawnlab run) has 1".into(),
    };
    display.tell_at(&waits, seconds(5));
    display.tick_at(seconds(12));
    let line = "names::short  7 s  waits for room for 1 VM; process 7 (spawnlab run) has 1";
    let text = window.text();
    assert!(text.contains(line), "{text}");
    assert!(text.contains("1 running, 2 to go"), "{text}");
    display.tell_at(&scenario("names::short"), seconds(13));
    display.tick_at(seconds(14));
    let text = window.text();
    assert!(text.contains("names::short  1 s\n"), "{text}");
    assert!(text.contains("2 running, 1 to go"), "{text}");
}
