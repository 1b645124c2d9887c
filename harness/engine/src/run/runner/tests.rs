use std::{
    future::Future,
    sync::{Arc, Mutex},
};

use tokio::sync::{Notify, mpsc::UnboundedReceiver};

use super::*;
use crate::verdict::Failure;

fn task<F>(name: &str, body: impl FnOnce(Utf8PathBuf) -> F + Send + 'static) -> Task
where
    F: Future<Output = Verdict> + Send + 'static,
{
    Task {
        name: name.into(),
        claim: "it is so".into(),
        limit: Duration::from_secs(60),
        machines: NonZeroUsize::MIN,
        skip: None,
        again: format!("spawnlab run --exact {name}"),
        body: Box::new(|folder| Box::pin(body(folder))),
    }
}

fn passing(name: &str) -> Task {
    task(name, |_| async { Verdict::Passed })
}

fn failing(name: &str) -> Task {
    task(name, |_| async {
        Verdict::Failed(Failure {
            assertion: "it is so".into(),
            expected: "yes".into(),
            seen: "no".into(),
            hop: None,
            lines: vec![],
        })
    })
}

/// Rings when it is dropped.
struct Bell(Arc<Notify>);

impl Drop for Bell {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

async fn rings(bell: &Notify) {
    tokio::time::timeout(Duration::from_secs(1), bell.notified())
        .await
        .expect("the body is dropped");
}

struct Fixture {
    _folder: tempfile::TempDir,
    options: Options,
    events: Events,
    receiver: UnboundedReceiver<Event>,
}

fn fixture(at_once: usize) -> Fixture {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).expect("UTF-8");
    let (events, receiver) = Events::channel();
    let mut options = Options::new(path);
    options.at_once = NonZeroUsize::new(at_once).expect("not zero");
    Fixture {
        _folder: folder,
        options,
        events,
        receiver,
    }
}

impl Fixture {
    async fn run(&self, jobs: Vec<Task>) -> Finished {
        run(jobs, &self.options, &Interrupt::never(), &self.events).await
    }

    /// The events so far, in short.
    fn heard(&mut self) -> Vec<String> {
        let mut heard = vec![];
        while let Ok(event) = self.receiver.try_recv() {
            heard.push(match event {
                Event::ScenarioStarted { name } => format!("{name} started"),
                Event::ScenarioFinished(record) => {
                    format!("{} {}", record.name, record.verdict.word())
                }
                Event::Interrupted => "interrupted".into(),
                other => format!("{other:?}"),
            });
        }
        heard
    }

    fn kept(&self, record: &Record, file: &str) -> serde_json::Value {
        let path = self.options.report_dir.join(&record.evidence).join(file);
        serde_json::from_str(&fs_err::read_to_string(path).expect("the file is there"))
            .expect("the file is JSON")
    }
}

fn words(finished: &Finished) -> Vec<&'static str> {
    finished
        .records
        .iter()
        .map(|record| record.verdict.word())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn nothing_to_do_is_done_at_once() {
    let mut fixture = fixture(2);
    let finished = fixture.run(vec![]).await;
    assert_eq!(finished.records, []);
    assert!(!finished.interrupted);
    assert!(finished.summary(Duration::ZERO).as_expected);
    assert_eq!(fixture.heard(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn one_at_a_time_keeps_the_order() {
    let mut fixture = fixture(1);
    let finished = fixture
        .run(vec![passing("a::1"), failing("a::2"), passing("b::3")])
        .await;
    assert_eq!(words(&finished), ["passed", "failed", "passed"]);
    assert_eq!(
        fixture.heard(),
        [
            "a::1 started",
            "a::1 passed",
            "a::2 started",
            "a::2 failed",
            "b::3 started",
            "b::3 passed"
        ]
    );
    let summary = finished.summary(Duration::from_millis(7));
    assert_eq!(summary.counts["passed"], 2);
    assert_eq!(summary.counts["failed"], 1);
    assert!(!summary.as_expected);
    assert_eq!(summary.took_ms, 7);
}

#[tokio::test(start_paused = true)]
async fn never_more_at_once_than_allowed_and_never_fewer_than_possible() {
    let fixture = fixture(3);
    let alive = Arc::new(Mutex::new((0_usize, 0_usize)));
    let jobs = (0..10).map(|number| {
        let alive = alive.clone();
        task(&format!("a::{number}"), move |_| async move {
            {
                let mut alive = alive.lock().expect("not poisoned");
                alive.0 += 1;
                alive.1 = alive.1.max(alive.0);
            }
            tokio::time::sleep(Duration::from_secs(number % 4)).await;
            alive.lock().expect("not poisoned").0 -= 1;
            Verdict::Passed
        })
    });
    let finished = fixture.run(jobs.collect()).await;
    assert_eq!(words(&finished), ["passed"; 10]);
    assert_eq!(*alive.lock().expect("not poisoned"), (0, 3));
    let names: Vec<_> = finished
        .records
        .iter()
        .map(|record| record.name.clone())
        .collect();
    assert_eq!(
        names,
        (0..10).map(|n| format!("a::{n}")).collect::<Vec<_>>()
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_trouble_of_the_lab_with_its_text_and_place() {
    let fixture = fixture(1);
    let number = 41;
    let finished = fixture
        .run(vec![
            task(
                "a::1",
                move |_| async move { panic!("no lease for {number}") },
            ),
            task("a::2", |_| -> std::future::Ready<Verdict> {
                panic!("before the future")
            }),
            passing("a::3"),
        ])
        .await;
    assert_eq!(
        words(&finished),
        ["infrastructure", "infrastructure", "passed"]
    );
    let Verdict::Infrastructure { error } = &finished.records[0].verdict else {
        panic!("{:?}", finished.records[0]);
    };
    assert!(error.contains("no lease for 41"), "{error}");
    assert!(error.contains("runner/tests.rs:"), "{error}");
    let kept = fixture.options.report_dir.join("evidence/a/1/panic.txt");
    assert!(
        fs_err::read_to_string(kept)
            .expect("kept")
            .contains("no lease for 41")
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_hangs_is_stopped_and_dropped() {
    let fixture = fixture(1);
    let dropped = Arc::new(Notify::new());
    let bell = Bell(dropped.clone());
    let finished = fixture
        .run(vec![
            task("a::hangs", move |_| async move {
                let _bell = bell;
                std::future::pending().await
            }),
            passing("a::next"),
        ])
        .await;
    assert_eq!(words(&finished), ["timed-out", "passed"]);
    assert_eq!(
        finished.records[0].took_ms, 90_000,
        "60 s of limit and 30 s of grace"
    );
    rings(&dropped).await;
}

#[tokio::test(start_paused = true)]
async fn an_interruption_stops_what_runs_and_starts_nothing_more() {
    let mut fixture = fixture(2);
    let (interrupter, interrupt) = interrupt();
    let jobs = vec![
        passing("a::done"),
        task("a::running", |_| std::future::pending()),
        task("a::says-stop", move |_| async move {
            interrupter.raise();
            std::future::pending().await
        }),
        passing("a::never"),
    ];
    let finished = run(jobs, &fixture.options, &interrupt, &fixture.events).await;
    assert_eq!(
        words(&finished),
        ["passed", "interrupted", "interrupted", "skipped"]
    );
    assert!(finished.interrupted);
    let summary = finished.summary(Duration::ZERO);
    assert!(summary.interrupted && !summary.as_expected);
    let heard = fixture.heard();
    assert_eq!(
        heard.iter().filter(|line| *line == "interrupted").count(),
        1
    );
    assert!(!heard.contains(&"a::never started".to_owned()), "{heard:?}");
}

#[tokio::test(start_paused = true)]
async fn interrupted_before_anything_runs_nothing() {
    let fixture = fixture(2);
    let (interrupter, interrupt) = interrupt();
    interrupter.raise();
    let finished = run(
        vec![passing("a::1"), passing("a::2")],
        &fixture.options,
        &interrupt,
        &fixture.events,
    )
    .await;
    assert_eq!(words(&finished), ["skipped", "skipped"]);
    assert!(finished.interrupted);
}

#[tokio::test(start_paused = true)]
async fn fail_fast_lets_what_runs_end_and_starts_nothing_more() {
    let mut fixture = fixture(2);
    fixture.options.fail_fast = true;
    let slow = task("a::slow", |_| async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        Verdict::Passed
    });
    let finished = fixture
        .run(vec![slow, failing("a::bad"), passing("a::never")])
        .await;
    assert_eq!(words(&finished), ["passed", "failed", "skipped"]);
    assert!(!finished.interrupted);
    let Verdict::Skipped { why } = &finished.records[2].verdict else {
        panic!("{:?}", finished.records[2]);
    };
    assert!(why.contains("a::bad"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_skipped_job_says_why_and_is_as_expected() {
    let mut fixture = fixture(1);
    let mut task = task("a::1", |_| async { panic!("must not run") });
    task.skip = Some("the tool has no rollback".into());
    let finished = fixture.run(vec![task]).await;
    assert_eq!(words(&finished), ["skipped"]);
    assert!(finished.summary(Duration::ZERO).as_expected);
    assert_eq!(fixture.heard(), ["a::1 skipped"]);
    assert_eq!(
        fixture.kept(&finished.records[0], VERDICT)["why"],
        "the tool has no rollback"
    );
}

#[tokio::test(start_paused = true)]
async fn the_folder_is_empty_but_for_the_marker_when_the_body_begins() {
    let fixture = fixture(1);
    let old = fixture.options.report_dir.join("evidence/a/1/old");
    fs_err::create_dir_all(&old).expect("can be made");
    let finished = fixture
        .run(vec![task("a::1", |folder| async move {
            let names: Vec<_> = fs_err::read_dir(&folder)
                .expect("the folder is there")
                .map(|entry| entry.expect("readable").file_name())
                .collect();
            assert_eq!(names, [STARTED]);
            fs_err::write(folder.join("console.log"), "boot").expect("can be written");
            Verdict::Passed
        })])
        .await;
    assert_eq!(words(&finished), ["passed"], "{finished:?}");
    let record = &finished.records[0];
    assert_eq!(fixture.kept(record, STARTED)["name"], "a::1");
    assert_eq!(fixture.kept(record, VERDICT)["verdict"], "passed");
}

#[tokio::test(start_paused = true)]
async fn a_verdict_that_cannot_be_kept_is_not_green_and_a_red_one_stays_red() {
    let fixture = fixture(1);
    let in_the_way = |folder: Utf8PathBuf| {
        fs_err::create_dir(folder.join(VERDICT)).expect("can be made");
    };
    let good = task("a::good", move |folder| async move {
        in_the_way(folder);
        Verdict::Passed
    });
    let bad = task("a::bad", move |folder| async move {
        in_the_way(folder);
        Verdict::UnexpectedPass {
            tracker: "https://example.org/1".into(),
        }
    });
    let finished = fixture.run(vec![good, bad]).await;
    assert_eq!(words(&finished), ["infrastructure", "unexpected-pass"]);
    let Verdict::Infrastructure { error } = &finished.records[0].verdict else {
        panic!("{:?}", finished.records[0]);
    };
    assert!(
        error.contains("passed") && error.contains(VERDICT),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn evidence_that_cannot_be_kept_is_trouble_of_the_lab() {
    let fixture = fixture(1);
    fs_err::write(fixture.options.report_dir.join("evidence"), "a file").expect("can be written");
    let finished = fixture.run(vec![passing("a::1")]).await;
    let Verdict::Infrastructure { error } = &finished.records[0].verdict else {
        panic!("{:?}", finished.records[0]);
    };
    assert!(error.contains("evidence"), "{error}");
}

#[test]
fn a_body_that_blocks_its_thread_keeps_nobody_from_noticing() {
    let bodies = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .expect("a runtime");
    let control = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let mut fixture = fixture(1);
    fixture.options.bodies = Some(bodies.handle().clone());
    fixture.options.grace = Duration::from_millis(20);
    let (open, door) = std::sync::mpsc::channel::<()>();
    let mut blocking = task("a::blocks", move |_| async move {
        let _ = door.recv();
        Verdict::Passed
    });
    blocking.limit = Duration::ZERO;
    let finished = control.block_on(fixture.run(vec![blocking]));
    drop(open);
    assert_eq!(words(&finished), ["timed-out"]);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_run_drops_the_bodies() {
    let fixture = fixture(1);
    let dropped = Arc::new(Notify::new());
    let bell = Bell(dropped.clone());
    let jobs = vec![task("a::1", move |_| async move {
        let _bell = bell;
        std::future::pending().await
    })];
    let never = Interrupt::never();
    let running = run(jobs, &fixture.options, &never, &fixture.events);
    assert!(
        tokio::time::timeout(Duration::from_secs(1), running)
            .await
            .is_err()
    );
    rings(&dropped).await;
}

#[tokio::test(start_paused = true)]
async fn an_interruption_of_the_only_job_is_told() {
    let mut fixture = fixture(1);
    let (interrupter, interrupt) = interrupt();
    let jobs = vec![task("a::1", move |_| async move {
        interrupter.raise();
        std::future::pending().await
    })];
    let finished = run(jobs, &fixture.options, &interrupt, &fixture.events).await;
    assert!(finished.interrupted);
    assert_eq!(
        fixture.heard(),
        ["a::1 started", "interrupted", "a::1 interrupted"]
    );
}
