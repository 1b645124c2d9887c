//! From a matrix and a command line to the cases that are to run.

use camino::Utf8PathBuf;
use spawnlab::campaign::qualify::{
    Plan, Planned,
    cover::{self, Cover},
    matrix::{Cell, Matrix},
};

use super::{
    again::Again,
    args::{Accel, LabArgs, Promises, Selection},
    nixos_args::{self, NixosArgs},
    qualify_args::QualifyArgs,
    run::chosen,
    select::select,
    tool,
    trouble::Trouble,
};
use crate::{
    engine::Options,
    firewall::Firewall,
    registry::{Chosen, to_run},
};

/// The repository's matrix. Built in, since an installed command has no repository around it.
const BUILT_IN: &str = include_str!("../../../ci/matrix.toml");

/// The dimensions that there can be, in the order in which cases name them.
const DIMENSIONS: [&str; 5] = ["image", "nixpkgs", "guest", "firewall", "tool"];

/// The nixpkgs of images that take none.
const NONE: &str = "none";

/// The tool that ships with the lab.
const OURS: &str = "ours";

/// The cases of a qualification, over all shards.
pub(super) struct Cases {
    /// The plan, for the report.
    pub(super) plan: Plan,
    /// Each case with its scenarios, in the order of the plan.
    pub(super) all: Vec<(Cell, Vec<Chosen>)>,
}

/// What `args` mean.
///
/// # Errors
/// A matrix that is wrong, or nothing selected.
pub(super) fn cases(args: &QualifyArgs) -> Result<Cases, Trouble> {
    let file = args.matrix.as_ref();
    let what = format!(
        "matrix {}",
        file.map_or("ci/matrix.toml", |file| file.as_str())
    );
    let text = match file {
        None => BUILT_IN.to_owned(),
        Some(file) => fs_err::read_to_string(file).map_err(|error| Trouble::usage(&what, error))?,
    };
    let wrong = |why: String| {
        Trouble::usage(&what, why).hint("`spawnlab qualify --help` says what a matrix is")
    };
    let matrix = Matrix::read(&text, &DIMENSIONS).map_err(wrong)?;
    check(&matrix).map_err(wrong)?;
    let cover = if args.full { Cover::Full } else { Cover::Pairs };
    let mut cells = cover::cells(&matrix, cover);
    if cells.is_empty() {
        return Err(wrong("it leaves every case out".into()));
    }
    if !args.case.is_empty() {
        let cases = cells_of(&matrix, &args.case)?;
        cells.retain(|cell| cases.iter().any(|pairs| holds(cell, pairs)));
        // A case that --full would have is still a case to ask for by name.
        if cells.is_empty() {
            cells = matrix.product();
            cells.retain(|cell| cases.iter().any(|pairs| holds(cell, pairs)));
        }
        if cells.is_empty() {
            let why = format!("no case has the values {}", args.case.join(" or "));
            return Err(Trouble::nothing("--case", why).hint("`spawnlab qualify --list` shows all"));
        }
    }
    let mut all = vec![];
    for cell in cells {
        let selection = if args.scenario.is_empty() {
            Selection {
                filters: matrix.filters(&cell).to_vec(),
                exact: false,
            }
        } else {
            Selection {
                filters: args.scenario.clone(),
                exact: args.exact,
            }
        };
        all.push((cell, chosen(to_run(), &selection)?));
    }
    let planned = all.iter().map(|(cell, chosen)| Planned {
        name: cell.name(),
        scenarios: chosen.iter().map(Chosen::full_name).collect(),
    });
    let plan = Plan {
        spawnlab: env!("CARGO_PKG_VERSION").into(),
        cover,
        loops: args.loops().get(),
        cases: planned.collect(),
        excluded: matrix.excludes,
    };
    Ok(Cases { plan, all })
}

/// What can be wrong with a sound matrix: it names firewalls or scenarios that are not there.
fn check(matrix: &Matrix) -> Result<(), String> {
    let firewalls = matrix
        .dimensions
        .iter()
        .filter(|one| one.name == "firewall");
    for value in firewalls.flat_map(|dimension| &dimension.values) {
        Firewall::read(value).map_err(|why| format!("firewall {value}: {why}"))?;
    }
    let names: Vec<String> = to_run().iter().map(Chosen::full_name).collect();
    for filters in matrix.all_filters() {
        select(&names, filters, false).map_err(|unknown| {
            let filter = unknown.filter;
            format!("suite: no scenario's name contains {filter:?}; `spawnlab list` shows all")
        })?;
    }
    Ok(())
}

/// The pairs of each of `cases`, as `--case` has them.
fn cells_of(matrix: &Matrix, cases: &[String]) -> Result<Vec<Vec<(String, String)>>, Trouble> {
    let pair = |text: &str| {
        let (name, value) = text.split_once('=')?;
        let known = matrix.dimensions.iter().find(|one| one.name == name)?;
        let known = known.values.iter().any(|known| known == value);
        known.then(|| (name.to_owned(), value.to_owned()))
    };
    let read = |case: &String| {
        let pairs = case.split(',').map(|text| {
            pair(text).ok_or_else(|| {
                Trouble::usage("--case", format!("{text:?} is no value of the matrix"))
                    .hint("`spawnlab qualify --list --full` shows all cases")
            })
        });
        pairs.collect()
    };
    cases.iter().map(read).collect()
}

fn holds(cell: &Cell, pairs: &[(String, String)]) -> bool {
    pairs.iter().all(|pair| cell.0.contains(pair))
}

/// What the engine has to know of `cell`.
///
/// # Errors
/// A tool that can't be executed, or known bugs that are wrong or have expired.
pub(super) fn options(args: &QualifyArgs, cell: &Cell) -> Result<Options, Trouble> {
    let tool = cell.value("tool").filter(|tool| *tool != OURS);
    let none = || Promises(vec![]);
    let lab = LabArgs {
        tool: tool.map(Utf8PathBuf::from),
        promises: tool.map(|_| args.promises.clone().unwrap_or_else(none)),
        image: cell.value("image").map(str::to_owned),
        nixos: nixos(cell),
        guest: cell.value("guest").map(str::to_owned),
        accel: args.accel,
        keep: false,
    };
    let mut options = lab.options(again(args, cell))?;
    let firewall = cell.value("firewall").unwrap_or("off");
    options.firewall = Firewall::read(firewall).map_err(|why| Trouble::usage("firewall", why))?;
    options.loops = args.loops();
    Ok(options)
}

/// The nixpkgs of `cell`, and what modules the environment has its hosts get.
fn nixos(cell: &Cell) -> NixosArgs {
    let nixpkgs = cell.value("nixpkgs").filter(|nixpkgs| *nixpkgs != NONE);
    let args = NixosArgs {
        nixpkgs: nixpkgs.map(str::to_owned),
        host_modules: vec![],
    };
    args.with_environment(cell.value("image"))
}

/// Looks at every tool, and at all that images are made of, before minutes are spent on the first.
///
/// # Errors
/// A tool that can't be executed, an image that takes no nixpkgs, or the lack of one.
pub(super) fn check_given(cases: &[(Cell, Vec<Chosen>)]) -> Result<(), Trouble> {
    for (cell, _) in cases {
        nixos_args::check(&nixos(cell).options(cell.value("image"))).map_err(|trouble| {
            trouble.hint("leave such cases out with [[exclude]] in the matrix")
        })?;
        if let Some(tool) = cell.value("tool").filter(|tool| *tool != OURS) {
            tool::checked(tool.into())?;
        }
    }
    Ok(())
}

fn again(args: &QualifyArgs, cell: &Cell) -> Again {
    let program = std::env::var("SPAWNLAB_COMMAND").unwrap_or_else(|_| "spawnlab".into());
    let mut words = vec![program, "qualify".to_owned()];
    words.extend(args.matrix.as_ref().map(ToString::to_string));
    words.extend(args.soak.map(|loops| format!("--soak={loops}")));
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    if let Some(Promises(promises)) = &args.promises {
        let names: Vec<_> = promises.iter().map(|promise| promise.name()).collect();
        option("--promises", names.join(","));
    }
    match args.accel {
        Accel::Auto => {}
        Accel::Kvm => option("--accel", "kvm".into()),
        Accel::Tcg => option("--accel", "tcg".into()),
    }
    if let Some(known) = &args.known {
        option("--known", known.to_string());
    }
    option("--case", cell.name());
    Again::of_option(words, "--scenario")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

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
    fn the_repositorys_matrix_is_sound() {
        let cases = cases(&args(&[])).expect("sound");
        let first = &cases.plan.cases[0];
        assert_eq!(
            first.scenarios.len(),
            to_run().len(),
            "all run on the default"
        );
        let full = super::cases(&args(&["--full"])).expect("sound");
        assert!(cases.all.len() <= full.all.len());
    }

    #[test]
    fn one_case_can_be_asked_for_whether_or_not_pairs_have_it() {
        for planned in super::cases(&args(&["--full"])).expect("sound").plan.cases {
            let one = cases(&args(&["--case", &planned.name])).expect("sound");
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
        let args = args(&["--soak", "--accel", "tcg"]);
        assert_eq!(args.loops().get(), 20);
        let cases = cases(&args).expect("sound");
        let name = cases.all[0].0.name();
        assert_eq!(
            again(&args, &cases.all[0].0).command("a::b"),
            format!("spawnlab qualify --soak=20 --accel tcg --case {name} --exact --scenario a::b")
        );
    }
}
