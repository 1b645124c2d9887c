use super::*;
use crate::{
    report::{run::Run, sample},
    verdict::{Verdict, event::Summary},
};

/// A run of three with one of everything in its evidence.
fn sources() -> Sources {
    let mut run = sample::run();
    run.records.truncate(3);
    let commands = "2026-03-09T10:00:32.100Z $ networkctl status ve-web\nroutable\n-- exit status 0 after 21 ms\n\n\
                    2026-03-09T10:00:32.200Z $ exec systemd-run -M 'web' --wait -- /bin/sh -c '(echo '\\''a'\\''\n> )\n> status=$?; exit'\n-- exit status 1 after 96 ms\n\n";
    let journal = "# the host booted at 2026-03-09T10:00:02.000000Z\n\
                   2026-03-09T10:00:31.700000Z web err nginx[9]: <b>\"bold\"</b>\n\tand more\n\
                   2026-03-09T10:00:32.150000Z host info kernel: ve-web: up\n\nnot a record\n";
    let part = Part {
        commands: commands.into(),
        journal: journal.into(),
        console: "[   30.120000] random: \u{1b}[1mready\u{1b}[0m\n".into(),
        diagnosis: r#"[{"hop":"unit","condition":"ok","seen":"active"},{"hop":"lease","condition":"broken","seen":"169.254.7.9","facts":["none given"]},{"hop":"name","condition":"new-word"}]"#.into(),
        phases: r#"[{"phase":"clone","took_ms":300},{"phase":"scenario","took_ms":1500}]"#.into(),
        health: "failed unit on web: a.service: Failed with result 'exit-code'.\n".into(),
        files: vec!["commands.log".into(), "journal.txt".into()],
        folder: "evidence/networking/lease".into(),
        name: String::new(),
    };
    let nonsense = Part {
        name: "2".into(),
        diagnosis: "{".into(),
        phases: "null".into(),
        journal: "2026".into(),
        ..Part::default()
    };
    Sources {
        scenarios: vec![
            ScenarioSources { parts: vec![part] },
            ScenarioSources {
                parts: vec![nonsense],
            },
        ],
        earlier: vec![run_of("2026-03-08T10:00:00Z", 900)],
        known: std::collections::BTreeMap::new(),
        run,
    }
}

fn run_of(started: &str, took: u64) -> Run {
    let mut run = sample::run();
    run.started = started.into();
    for record in &mut run.records {
        record.took_ms = took;
    }
    run
}

/// A page without what is the same on all.
fn told(sources: &Sources, budget: usize) -> String {
    let page = rendered(sources, budget).expect("a page");
    let page = page.replace(STYLE, "").replace(SCRIPT, "");
    let from = page.find("script-src '").expect("a hash");
    let to = from + page[from..].find(';').expect("an end");
    page[..from].to_owned() + &page[to..]
}

#[test]
fn a_run_on_a_page() {
    insta::assert_snapshot!(told(&sources(), LOGS));
}

#[test]
fn a_run_that_came_to_nothing_has_a_page() {
    let nothing = |summary| {
        let mut run = Run::new("2026-03-09T10:00:00Z");
        run.summary = summary;
        let sources = Sources {
            run,
            scenarios: vec![],
            earlier: vec![],
            known: std::collections::BTreeMap::new(),
        };
        told(&sources, LOGS)
    };
    let time = std::time::Duration::from_secs(1);
    let broken = nothing(Some(Summary::broken("no <image>", time)));
    assert!(broken.contains("<h1>nothing could be run</h1>"));
    assert!(broken.contains("no &lt;image&gt;"));
    let killed = nothing(None);
    assert!(killed.contains("<h1>not finished: 0 of 0 scenarios ended</h1>"));
    let interrupted = nothing(Some(Summary::of(&[], true, time)));
    assert!(interrupted.contains("<h1>interrupted: "));
}

#[test]
fn every_verdict_has_a_place() {
    let run = sample::run();
    let sources = Sources {
        run: run.clone(),
        scenarios: vec![],
        earlier: vec![],
        known: std::collections::BTreeMap::new(),
    };
    let page = told(&sources, LOGS);
    for record in &run.records {
        let word = record.verdict.word();
        assert!(page.contains(&format!("data-word=\"{word}\"")), "{word}");
        assert!(STYLE.contains(&format!(".{word}")), "{word} has no colour");
    }
}

/// Logs that are longer than what is left are cut, those of scenarios that passed first, and it is said.
#[test]
fn a_page_is_bounded() {
    let mut sources = sources();
    let line = "2026-03-09T10:00:32.150000Z host info kernel: again &<>&<>&<>\n";
    let part = Part {
        journal: line.repeat(20_000),
        files: vec!["journal.txt".into()],
        ..Part::default()
    };
    sources.scenarios = vec![
        ScenarioSources {
            parts: vec![part.clone()]
        };
        3
    ];
    assert!(sources.run.records[0].verdict == Verdict::Passed);
    let budget = 100_000;
    let page = told(&sources, budget);
    let empty = told(
        &Sources {
            scenarios: vec![],
            ..sources.clone()
        },
        budget,
    );
    assert!(page.len() > budget / 2, "{} bytes", page.len());
    assert!(
        page.len() < empty.len() + budget + 5_000,
        "{} bytes",
        page.len()
    );
    assert!(
        page.contains("20000 lines are not shown here"),
        "what passed"
    );
    let whole = told(&sources, LOGS);
    assert_eq!(whole.matches("kernel: again").count(), 250 + 3_000 + 3_000);
    assert!(whole.contains("17000 lines are not shown here"));
}

#[test]
fn what_was_done_is_cut_last() {
    let mut sources = sources();
    let line = "2026-03-09T10:00:33.000000Z host info kernel: again\n";
    sources.scenarios[0].parts[0].journal = line.repeat(9_000);
    let page = told(&sources, LOGS);
    assert!(page.contains("networkctl status ve-web"));
    // Two commands, and a line of the console without a time, which is the last one.
    assert_eq!(page.matches("kernel: again").count(), 247);
}

#[test]
fn a_record_cannot_lead_out_of_the_report() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir: &Utf8Path = folder.path().try_into().expect("UTF-8");
    fs_err::create_dir_all(dir.join("report")).expect("made");
    fs_err::create_dir_all(dir.join("other")).expect("made");
    fs_err::write(dir.join("other/console.log"), "secret").expect("written");
    let mut run = sample::run();
    run.records[0].evidence = "../other".into();
    run.records[1].evidence = dir.join("other");
    let sources = Sources::read(&run, &dir.join("report"));
    assert!(sources.scenarios.iter().all(|one| one.parts.is_empty()));
}

#[test]
fn evidence_is_found_where_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir: &Utf8Path = folder.path().try_into().expect("UTF-8");
    let run = sample::run();
    for number in ["10", "9", "spared"] {
        let part = dir.join(&run.records[0].evidence).join(number);
        fs_err::create_dir_all(&part).expect("made");
        fs_err::write(part.join("console.log"), b"a\xffb").expect("written");
    }
    let sources = Sources::read(&run, dir);
    let names: Vec<&str> = sources.scenarios[0]
        .parts
        .iter()
        .map(|part| part.name.as_str())
        .collect();
    assert_eq!(names, ["9", "10", "spared"]);
    assert_eq!(sources.scenarios[0].parts[0].console, "a\u{fffd}b");
    write(&run, dir).expect("written");
    assert!(dir.join(FILE).is_file());
}

#[test]
fn what_the_ledger_knows_is_drawn_in_place_of_reports_beside() {
    let mut sources = sources();
    let past = |verdict: &str, took_ms| crate::report::ledger::Past {
        at: "2026-03-01T10:00:00Z".into(),
        verdict: verdict.into(),
        took_ms,
    };
    let earlier = crate::report::ledger::excerpt::Earlier {
        runs: 51,
        failures: 3,
        recent: vec![past("passed", 100), past("<b>", 200), past("failed", 300)],
    };
    sources.known.insert("networking::lease".into(), earlier);
    let page = told(&sources, LOGS);
    assert!(page.contains("3 of 51 runs before failed"), "{page}");
    assert!(page.contains(r#"<rect class="failed""#), "{page}");
    assert!(!page.contains("<b>:"), "{page}");
}
