//! `spawnlab history`: what came of scenarios over many runs.

use std::fmt::Write as _;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use spawnlab::{
    report::{
        dir::{CASES, COMPARISON, JSON},
        json,
        ledger::{self, CLEAN, Ledger, LedgerEntry, Past},
        run::Run,
        text,
    },
    run::session::cache,
};

use crate::{
    args::history::HistoryArgs,
    lab::select::select,
    output::{error::CliError, exit::Exit, print},
};

/// A scenario in a case, as `history --json` shows it.
#[derive(Debug, Serialize)]
struct Shown<'l> {
    name: &'l str,
    case: &'l str,
    runs: u64,
    failures: u64,
    usual_ms: Option<u64>,
    outcome: &'static str,
    same: u64,
    last: &'l str,
    changed: Option<ShownChange<'l>>,
    unstable: Option<&'l str>,
    recent: Vec<&'l Past>,
}

#[derive(Debug, Serialize)]
struct ShownChange<'l> {
    at: &'l str,
    from: &'static str,
    versions: Vec<ShownVersion<'l>>,
}

#[derive(Debug, Serialize)]
struct ShownVersion<'l> {
    program: &'l str,
    before: &'l str,
    after: &'l str,
}

/// Shows what `args` select, after what is to be merged is counted.
pub(crate) async fn history(args: &HistoryArgs) -> Result<Exit, CliError> {
    let cache = cache().map_err(|error| CliError::infrastructure("history", error))?;
    let folder = cache.root();
    if !args.merge.is_empty() {
        let mut runs = vec![];
        for report in &args.merge {
            runs.extend(reports(report)?);
        }
        let counted = ledger::update(folder, &runs).await.map_err(damaged)?;
        let known = runs.len() - counted;
        print::stderr(&format!(
            "merged: {counted} runs; {known} were in it already, or came to nothing\n"
        ));
    }
    let ledger = ledger::read(folder).map_err(damaged)?;
    let names = ledger.names();
    let selection = &args.selection;
    let positions = select(&names, &selection.filters, selection.exact).map_err(|unknown| {
        let why = format!("no scenario that ran is called like {:?}", unknown.filter);
        CliError::nothing("filter", why).hint("`spawnlab history` shows all that ran here")
    })?;
    let mut shown = vec![];
    for name in positions.into_iter().map(|position| &names[position]) {
        let cases = ledger.cases(name);
        let wanted = cases.filter(|(_, entry)| !args.unstable || entry.unstable.is_some());
        shown.extend(wanted.map(|(case, entry)| of(&ledger, name, case, entry)));
    }
    let text = match args.json {
        true => {
            let text = serde_json::to_string_pretty(&shown);
            text.map_err(|error| CliError::infrastructure("history", error))? + "\n"
        }
        false => table(&shown),
    };
    print::stdout(&text)?;
    Ok(Exit::AsExpected)
}

fn damaged(error: spawnlab::Error) -> CliError {
    CliError::infrastructure("history", error)
}

/// The runs in the report at `path`: its own, or those of the cases of a qualification.
fn reports(path: &Utf8Path) -> Result<Vec<Run>, CliError> {
    let wrong = |why: String| {
        CliError::usage(format!("report {path}"), why).hint(
            "--merge takes folders of reports of `run`, `prove` or `qualify`, or files run.json; filters stand before it",
        )
    };
    let mut files: Vec<Utf8PathBuf> = vec![];
    if path.is_dir() {
        if path.join(COMPARISON).exists() {
            return Err(wrong(
                "it is a comparison, whose sides are not counted".into(),
            ));
        }
        let cases = path
            .join(CASES)
            .read_dir_utf8()
            .into_iter()
            .flatten()
            .flatten();
        let cases = cases.map(|case| case.path().join(JSON));
        files.extend(cases.filter(|file| file.exists()));
        files.sort_unstable();
    }
    if files.is_empty() {
        files.push(if path.is_dir() {
            path.join(JSON)
        } else {
            path.to_owned()
        });
    }
    let one = |file: &Utf8PathBuf| {
        let text = fs_err::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        json::read(&text).map_err(|why| wrong(format!("{file}: {why}")))
    };
    files.iter().map(one).collect()
}

fn of<'l>(ledger: &'l Ledger, name: &'l str, case: &'l str, entry: &'l LedgerEntry) -> Shown<'l> {
    let changed = entry.changed.as_ref().map(|changed| ShownChange {
        at: &changed.at,
        from: changed.from.word(),
        versions: ledger
            .differences(changed)
            .into_iter()
            .map(|(program, before, after)| ShownVersion {
                program,
                before,
                after,
            })
            .collect(),
    });
    Shown {
        name,
        case,
        runs: entry.runs,
        failures: entry.failures,
        usual_ms: entry.usual_ms(),
        outcome: entry.outcome.word(),
        same: entry.same,
        last: &entry.last,
        changed,
        unstable: entry.unstable.as_deref(),
        recent: entry.recent.iter().collect(),
    }
}

fn table(shown: &[Shown<'_>]) -> String {
    if shown.is_empty() {
        return "nothing is known of earlier runs\n".into();
    }
    let mut text = String::new();
    let mut last = "";
    for one in shown {
        if one.name != last {
            let _ = writeln!(text, "{}", one.name);
            last = one.name;
        }
        let picture: String = one.recent.iter().map(|past| mark(&past.verdict)).collect();
        let _ = writeln!(text, "    {}  {picture}", one.case);
        let usual = one
            .usual_ms
            .map(|usual| format!(", usually {}", text::millis(usual)));
        let (runs, failures) = (one.runs, one.failures);
        let percent = (100 * failures + runs / 2) / runs.max(1);
        let _ = writeln!(
            text,
            "        {failures} of {runs} runs failed ({percent} %){}",
            usual.unwrap_or_default()
        );
        if let Some(since) = one.unstable {
            let _ = writeln!(
                text,
                "        unstable since {}: differently on the same inputs; {} of {CLEAN} runs the same since",
                day(since),
                one.same
            );
        }
        if let Some(changed) = &one.changed {
            let (outcome, from) = (one.outcome, changed.from);
            let _ = write!(
                text,
                "        {outcome} since {}, {from} before",
                day(changed.at)
            );
            for ShownVersion {
                program,
                before,
                after,
            } in &changed.versions
            {
                let _ = write!(text, "; {program} {before}, now {after}");
            }
            text.push('\n');
        }
    }
    text
}

/// How a run is drawn.
fn mark(verdict: &str) -> char {
    match verdict {
        "passed" => '+',
        "unstable" | "flaky" => '~',
        _ => 'x',
    }
}

fn day(time: &str) -> &str {
    time.get(..10).unwrap_or(time)
}
