use std::sync::{Arc, Mutex};

use super::*;
use crate::{
    event::{Events, Summary},
    report::sample,
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
    assert_eq!(text::printable(&coloured), told(sample::events()));
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
    assert_eq!(terminal.ended, sample::run().records.len());
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
        Some(Event::StepFinished { result: Ok(how), .. }) if how == "reused"
    ));
    assert!(receiver.recv().await.is_none());
}
