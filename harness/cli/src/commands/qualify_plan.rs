//! From a matrix and a command line to the cases that are to run.

use camino::Utf8PathBuf;
use spawnlab::campaign::{
    case::Case,
    qualify::{
        Plan, Planned,
        cover::{self, Cover},
        matrix::Matrix,
    },
};

use crate::{
    args::{
        AccelArg, LabArgs, Promises, Selection,
        nixos::{self, NixosArgs},
        qualify::QualifyArgs,
    },
    commands::run::{ordinary, selected},
    lab::{
        before_qualify::EarlierQualification,
        rerun::{self, Rerun},
        select::select,
        tool,
    },
    output::error::CliError,
};
use spawnlab::{
    run::{config::RunConfig, selection::Selected, suite::Suite},
    scenario::adapter::GivenTool,
    verdict::event::RunRequest,
};

/// The dimensions that there can be with the variables of `suite`, in the order in which cases name them.
fn dimensions(suite: &Suite) -> Vec<&'static str> {
    let variables = suite.variables().iter().map(|variable| variable.name());
    let before = ["image", "nixpkgs", "guest"];
    before
        .into_iter()
        .chain(variables)
        .chain(["tool"])
        .collect()
}

/// The nixpkgs of images that take none.
const NONE: &str = "none";

/// The tool that ships with the lab.
const OURS: &str = "ours";

/// The cases of a qualification, over all shards.
pub(crate) struct Cases {
    /// The plan, for the report.
    pub(crate) plan: Plan,
    /// Each case with its scenarios, in the order of the plan.
    pub(crate) all: Vec<(Case, Vec<Selected>)>,
}

/// What `args` mean; of an earlier qualification, what is to run again.
///
/// # Errors
/// A matrix that is wrong, or nothing selected.
pub(crate) fn cases(
    args: &QualifyArgs,
    suite: &Suite,
    before: Option<&EarlierQualification>,
) -> Result<Cases, CliError> {
    let file = args.matrix.as_ref();
    let what = format!(
        "matrix {}",
        file.map_or("ci/matrix.toml", |file| file.as_str())
    );
    let text = match file {
        None if suite.matrix_text().is_empty() => {
            return Err(CliError::usage("matrix", "the suite has none")
                .hint("name the file of one: `spawnlab qualify FILE`; --help says what it is"));
        }
        None => suite.matrix_text().to_owned(),
        Some(file) => {
            fs_err::read_to_string(file).map_err(|error| CliError::usage(&what, error))?
        }
    };
    let wrong = |why: String| {
        CliError::usage(&what, why).hint("`spawnlab qualify --help` says what a matrix is")
    };
    let matrix = Matrix::read(&text, &dimensions(suite)).map_err(wrong)?;
    check(&matrix, suite).map_err(wrong)?;
    let (cover, mut cells) = match before {
        // A case that was named need not be among those that cover pairs.
        Some(before) => {
            let mut cells = matrix.product();
            cells.retain(|cell| !before.of_case(&cell.name()).is_empty());
            if cells.is_empty() {
                return Err(before.gone());
            }
            (before.cover, cells)
        }
        None => {
            let cover = if args.full { Cover::Full } else { Cover::Pairs };
            (cover, cover::cases(&matrix, cover))
        }
    };
    if cells.is_empty() {
        return Err(wrong("it leaves every case out".into()));
    }
    if !args.case.is_empty() {
        let cases = cells_of(&matrix, &args.case)?;
        cells.retain(|cell| cases.iter().any(|pairs| holds(cell, pairs)));
        // A case that --full would have is still a case to ask for by name.
        if cells.is_empty() && before.is_none() {
            cells = matrix.product();
            cells.retain(|cell| cases.iter().any(|pairs| holds(cell, pairs)));
        }
        if cells.is_empty() {
            let why = format!("no case has the values {}", args.case.join(" or "));
            return Err(
                CliError::nothing("--case", why).hint("`spawnlab qualify --list` shows all")
            );
        }
    }
    let mut all = vec![];
    for cell in cells {
        let selection = match (args.scenario.as_slice(), before) {
            ([], None) => Selection {
                filters: matrix.filters(&cell).to_vec(),
                exact: false,
            },
            (filters, _) => Selection {
                filters: filters.to_vec(),
                exact: args.exact,
            },
        };
        let mut scenarios = match (args.soak, before) {
            (None, None) => ordinary(suite.to_run(), &selection)?,
            _ => selected(suite.to_run(), &selection)?,
        };
        if let Some(before) = before {
            let open = before.of_case(&cell.name());
            scenarios.retain(|one| open.contains(&one.full_name()));
            if scenarios.is_empty() {
                continue;
            }
        }
        all.push((cell, scenarios));
    }
    if let (Some(before), []) = (before, all.as_slice()) {
        return Err(before.gone());
    }
    let planned = all.iter().map(|(cell, selected)| Planned {
        name: cell.name(),
        scenarios: selected.iter().map(Selected::full_name).collect(),
    });
    let plan = Plan {
        spawnlab: env!("CARGO_PKG_VERSION").into(),
        cover,
        iterations: args.iterations().get(),
        cases: planned.collect(),
        excluded: matrix.excludes,
    };
    Ok(Cases { plan, all })
}

/// What can be wrong with a sound matrix: it names settings or scenarios that are not there.
fn check(matrix: &Matrix, suite: &Suite) -> Result<(), String> {
    for variable in suite.variables() {
        let name = variable.name();
        let of_it = matrix.dimensions.iter().filter(|one| one.name == name);
        for value in of_it.flat_map(|dimension| &dimension.values) {
            let read = variable.read(value);
            read.map_err(|why| format!("{name} {value}: {why}"))?;
        }
    }
    let names = suite.names();
    for filters in matrix.all_filters() {
        select(&names, filters, false).map_err(|unknown| {
            let filter = unknown.filter;
            format!("suite: no scenario's name contains {filter:?}; `spawnlab list` shows all")
        })?;
    }
    Ok(())
}

/// The pairs of each of `cases`, as `--case` has them.
fn cells_of(matrix: &Matrix, cases: &[String]) -> Result<Vec<Vec<(String, String)>>, CliError> {
    let pair = |text: &str| {
        let (name, value) = text.split_once('=')?;
        let known = matrix.dimensions.iter().find(|one| one.name == name)?;
        let known = known.values.iter().any(|known| known == value);
        known.then(|| (name.to_owned(), value.to_owned()))
    };
    let read = |case: &String| {
        let pairs = case.split(',').map(|text| {
            pair(text).ok_or_else(|| {
                CliError::usage("--case", format!("{text:?} is no value of the matrix"))
                    .hint("`spawnlab qualify --list --full` shows all cases")
            })
        });
        pairs.collect()
    };
    cases.iter().map(read).collect()
}

fn holds(cell: &Case, pairs: &[(String, String)]) -> bool {
    pairs.iter().all(|pair| cell.0.contains(pair))
}

/// What the scenarios of `cell` are run on, and how.
///
/// # Errors
/// A tool that can't be executed, or known bugs that are wrong or have expired.
pub(crate) fn config(
    args: &QualifyArgs,
    suite: &Suite,
    cell: &Case,
) -> Result<RunConfig, CliError> {
    let tool = cell.value("tool").filter(|tool| *tool != OURS);
    let given = tool
        .map(|tool| tool::checked(tool.into(), suite))
        .transpose()?;
    let lab = LabArgs {
        tool: tool.map(Utf8PathBuf::from),
        // An adapter knows what its tool promises.
        promises: given
            .filter(|tool| matches!(tool, GivenTool::Program(_)))
            .map(|_| args.promises.clone().unwrap_or(Promises(vec![]))),
        image: cell.value("image").map(str::to_owned),
        nixos: nixos_of(cell),
        guest: cell.value("guest").map(str::to_owned),
        accel: args.accel,
        keep: false,
    };
    let mut config = lab.config(suite, again(args, cell))?;
    for variable in suite.variables() {
        let name = variable.name();
        if let Some(value) = cell.value(name) {
            let setting = variable.read(value);
            let setting = setting.map_err(|why| CliError::usage(name, why))?;
            config.target.settings.extend(setting);
        }
    }
    config.policy.iterations = args.iterations();
    Ok(config)
}

/// The nixpkgs of `cell`, and what modules the environment has its hosts get.
fn nixos_of(cell: &Case) -> NixosArgs {
    let nixpkgs = cell.value("nixpkgs").filter(|nixpkgs| *nixpkgs != NONE);
    let args = NixosArgs {
        nixpkgs: nixpkgs.map(str::to_owned),
        ..NixosArgs::default()
    };
    args.with_environment(cell.value("image"))
}

/// Looks at every tool, and at all that images are made of, before minutes are spent on the first.
///
/// # Errors
/// A tool that can't be executed, an image that takes no nixpkgs, or the lack of one.
pub(crate) fn check_given(cases: &[(Case, Vec<Selected>)], suite: &Suite) -> Result<(), CliError> {
    for (cell, _) in cases {
        nixos::check(&nixos_of(cell).options(cell.value("image"))).map_err(|cli_error| {
            cli_error.hint("leave such cases out with [[exclude]] in the matrix")
        })?;
        if let Some(tool) = cell.value("tool").filter(|tool| *tool != OURS) {
            tool::checked(tool.into(), suite)?;
        }
    }
    Ok(())
}

/// The command that runs one scenario of `cell` again.
fn again(args: &QualifyArgs, cell: &Case) -> Rerun {
    let mut words = vec![rerun::program(), "qualify".to_owned()];
    words.extend(options(args));
    words.extend(["--case".to_owned(), cell.name()]);
    Rerun::of_option(words, "--scenario")
}

/// What of `args` says how scenarios are run, as words of a command line.
fn options(args: &QualifyArgs) -> Vec<String> {
    let mut words = vec![];
    words.extend(args.matrix.as_ref().map(ToString::to_string));
    words.extend(args.soak.map(|iterations| format!("--soak={iterations}")));
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    if let Some(promises) = &args.promises {
        option("--promises", promises.listed());
    }
    if let Some(accel) = args.accel.and_then(AccelArg::unusual) {
        option("--accel", accel.to_owned());
    }
    if let Some(known) = &args.known {
        option("--known", known.to_string());
    }
    words
}

/// What a later `--failed` has to know of this qualification.
pub(crate) fn request(args: &QualifyArgs) -> RunRequest {
    let program = rerun::program();
    let mut words = vec![program.as_str(), "qualify", "--failed"];
    // A dated report is the newest one.
    words.extend(args.report.as_ref().map(|dir| dir.as_str()));
    RunRequest {
        command: "qualify".into(),
        options: options(args),
        repeat: 1,
        scenarios: vec![],
        again: rerun::joined(words),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use spawnlab::prelude::*;

    use super::*;

    /// A page is there.
    #[scenario(on = Host, area = "page")]
    #[saboteur("gone", fails = "the page", spares = "page::is_there" => "true")]
    async fn is_there(_: &Lab) -> Outcome {
        expect("the page").equal(1, 1)
    }

    const MATRIX: &str = r#"
image = ["trixie", "sid"]
guest = ["trixie", "bookworm"]
tool = ["ours"]

[[suite]]
scenarios = []
"#;

    fn suite() -> Suite {
        Suite::of(spawnlab::scenarios!()).matrix(MATRIX)
    }

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: QualifyArgs,
    }

    fn args(words: &[&str]) -> QualifyArgs {
        let words = ["qualify"].iter().chain(words);
        Line::try_parse_from(words).expect("a command line").args
    }

    #[test]
    fn one_case_can_be_asked_for_whether_or_not_pairs_have_it() {
        for planned in super::cases(&args(&["--full"]), &suite(), None)
            .expect("sound")
            .plan
            .cases
        {
            let one = cases(&args(&["--case", &planned.name]), &suite(), None).expect("sound");
            let names: Vec<_> = one
                .plan
                .cases
                .iter()
                .map(|case| case.name.as_str())
                .collect();
            assert_eq!(names, [planned.name.as_str()]);
        }
    }

    #[test]
    fn a_case_is_run_again_as_it_was() {
        let args = args(&["--soak", "--promises", "none", "--accel", "tcg"]);
        assert_eq!(args.iterations().get(), 20);
        let cases = cases(&args, &suite(), None).expect("sound");
        let name = cases.all[0].0.name();
        assert_eq!(
            again(&args, &cases.all[0].0).command("a::b"),
            format!(
                "spawnlab qualify --soak=20 --promises none --accel tcg --case {name} --exact --scenario a::b"
            )
        );
    }
}
