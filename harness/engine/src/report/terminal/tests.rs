use std::sync::{Arc, Mutex};

use super::*;
use crate::util::text::printable;
use crate::{
    report::sample,
    verdict::{
        Verdict,
        event::{Events, Record, Summary},
    },
};

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("not poisoned").clone()).expect("UTF-8")
    }
}

fn told(events: impl IntoIterator<Item = Event>) -> String {
    let paper = Paper::default();
    let mut terminal = Terminal::plain(Box::new(paper.clone()));
    for event in events {
        terminal.tell(&event);
    }
    paper.text()
}

#[test]
fn every_verdict() {
    insta::assert_snapshot!(told(sample::events()));
}

/// `events` told by what `make` makes of a paper.
fn told_by(make: fn(Box<dyn Write + Send>) -> Terminal, volume: Volume) -> String {
    let paper = Paper::default();
    let mut terminal = make(Box::new(paper.clone())).with_volume(volume);
    for event in sample::events() {
        terminal.tell(&event);
    }
    paper.text()
}

#[test]
fn quiet_tells_what_is_wrong_and_the_end() {
    insta::assert_snapshot!(told_by(Terminal::plain, Volume::Quiet));
}

#[test]
fn verbose_tells_beginnings_and_evidence() {
    insta::assert_snapshot!(told_by(Terminal::plain, Volume::Verbose));
}

#[test]
fn groups_and_annotations() {
    insta::assert_snapshot!(told_by(Terminal::github, Volume::Normal));
}

#[test]
fn a_runner_is_given_no_commands_by_what_is_tested() {
    let paper = Paper::default();
    let mut terminal = Terminal::github(Box::new(paper.clone()));
    let mut record = sample::run().records.remove(1);
    let Verdict::Failed(failure) = &mut record.verdict else {
        panic!("{record:?}");
    };
    failure.seen = "nothing\n::set-env name=PATH::/evil".into();
    terminal.tell(&Event::ScenarioFinished(Box::new(record)));
    let text = paper.text();
    let evil = text.find("  ::set-env").expect("it is shown");
    let stopped = text
        .find("::stop-commands::")
        .expect("commands are stopped");
    assert!(stopped < evil, "{text}");
}

#[test]
fn a_step_that_is_slow_says_so_while_it_runs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = camino::Utf8Path::from_path(folder.path())
        .expect("UTF-8")
        .join("durations.json");
    fs_err::write(&path, r#"{"layer booted": [20000, 22000, 25000]}"#).expect("written");
    let paper = Paper::default();
    let mut display = Display::new(Box::new(paper.clone()), Mode::Plain, false);
    display.typical = DurationHistory::read(&path);
    let second = std::time::Duration::from_secs;
    let begin = Event::StepStarted {
        step: "layer booted".into(),
    };
    display.tell_at(&begin, second(1));
    for now in [20, 30, 45, 46, 90] {
        display.tick_at(second(now));
    }
    insta::assert_snapshot!(paper.text(), @r"
    begin            layer booted (usually 22 s)
    slow             layer booted: 44 s so far, usually 22 s
    ");
}

#[test]
fn what_was_built_is_remembered() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = camino::Utf8Path::from_path(folder.path())
        .expect("UTF-8")
        .join("durations.json");
    for _ in 0..3 {
        let paper = Paper::default();
        let terminal = Terminal::plain(Box::new(paper.clone()));
        let mut terminal = terminal.remembering(DurationHistory::read(&path));
        for event in sample::events() {
            terminal.tell(&event);
        }
    }
    let typical = DurationHistory::read(&path);
    let took = |thing: &str| typical.of(thing).map(|took| took.as_millis());
    assert_eq!(took("tcg debian/trixie layer host"), Some(31_400));
    assert_eq!(took("tcg debian/trixie networking::lease"), Some(2_134));
    assert_eq!(took("image debian/trixie"), None, "it was reused");
    assert_eq!(
        took("tcg debian/trixie names::short"),
        None,
        "it did not pass"
    );
}

#[test]
fn colour_is_the_only_difference() {
    let paper = Paper::default();
    let mut terminal = Terminal::coloured(Box::new(paper.clone()));
    for event in sample::events() {
        terminal.tell(&event);
    }
    let coloured = paper.text();
    assert!(coloured.contains("\u{1b}[32mpassed"), "{coloured}");
    assert!(coloured.contains("\u{1b}[1;31mfailed"), "{coloured}");
    assert_eq!(printable(&coloured), told(sample::events()));
}

#[test]
fn many_skips_for_one_reason_are_counted() {
    let skip = |number: u32, why: &str| {
        Event::ScenarioFinished(Box::new(Record {
            name: format!("deploy::{number}"),
            verdict: Verdict::Skipped { why: why.into() },
            ..sample::run().records.remove(0)
        }))
    };
    let mut events: Vec<_> = (0..6).map(|number| skip(number, "one reason")).collect();
    events.push(skip(6, "another reason"));
    events.push(Event::Interrupted);
    insta::assert_snapshot!(told(events));
}

#[test]
fn a_run_that_came_to_nothing() {
    let error = "image: debian/trixie: mmdebstrap ended with exit status 1";
    insta::assert_snapshot!(told([
        Event::RunStarted {
            selected: 1,
            report_dir: "/runs/now".into(),
            request: None,
        },
        Event::StepStarted {
            step: "image debian/trixie".into(),
        },
        Event::StepProgress {
            step: "image debian/trixie".into(),
            message: "\u{1b}[1mfetching\u{1b}[0m packages".into(),
        },
        Event::StepFinished {
            step: "image debian/trixie".into(),
            started: jiff::Timestamp::UNIX_EPOCH,
            took: std::time::Duration::from_millis(700),
            result: Err(error.into()),
        },
        Event::RunFinished(Box::new(Summary::broken(
            error,
            std::time::Duration::from_millis(712),
        ))),
    ]));
}

#[test]
fn a_paper_that_takes_no_ink_ends_nothing() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
    let mut terminal = Terminal::plain(Box::new(Full));
    for event in sample::events() {
        terminal.tell(&event);
    }
    let ended = terminal.lock(|display| display.ended);
    assert_eq!(ended, sample::run().records.len());
}

#[tokio::test]
async fn a_step_tells_its_begin_and_end() {
    let (events, mut receiver) = Events::channel();
    let value: Result<_, String> = events
        .step("layer booted", async || Ok((7, "reused".to_owned())))
        .await;
    assert_eq!(value, Ok(7));
    drop(events);
    assert!(
        matches!(receiver.recv().await, Some(Event::StepStarted { step }) if step == "layer booted")
    );
    assert!(matches!(
        receiver.recv().await,
        Some(Event::StepFinished { result: Ok(mode), .. }) if mode == "reused"
    ));
    assert!(receiver.recv().await.is_none());
}

#[test]
fn of_a_comparison_lines_are_told_without_a_terminal() {
    let paper = Paper::default();
    let mut terminal = Terminal::plain(Box::new(paper.clone()));
    terminal.lock(|display| display.compares = true);
    let case = "base".to_owned();
    terminal.tell(&Event::CaseStarted { case });
    for event in sample::events() {
        terminal.tell(&event);
    }
    insta::assert_snapshot!(paper.text());
}

#[test]
fn a_run_that_waits_for_others_says_so_once_and_when_it_goes_on() {
    let waits = |name: &str| Event::SlotsAwaited {
        name: name.into(),
        what: "1 VM; process 7 (spawnlab run) has 2".into(),
    };
    let started = |name: &str| Event::ScenarioStarted { name: name.into() };
    let text = told([
        waits("a::b"),
        waits("a::c"),
        waits("a::b"),
        started("a::b"),
        // One runs, which is told when it ends.
        waits("a::c"),
    ]);
    assert_eq!(
        text,
        "waits            for room for 1 VM; process 7 (spawnlab run) has 2; begins by itself, within an hour\n\
         goes on          after 0 s more\n"
    );
}
