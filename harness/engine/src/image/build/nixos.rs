//! A NixOS host's disk: Debian's programs, the user's nixpkgs and what the lab adds, in one folder, and the script of
//! `vm-images/nixos/debian/build` that evaluates and builds the system there, without a network.

use std::fs::File;

use camino::Utf8PathBuf;

use super::{
    assemble::{self, DISK},
    build_step::BuildStep,
    plan,
    preflight::Tools,
    workdir::Workdir,
};
use crate::image::{
    embedded::script as embedded,
    error::{Doing as _, ImageError},
    nixos::{self, NixosFile, NixosInputs, Tar, programs},
    recipe::RecipeSpec,
};

/// The tree's name in records and in the work folder.
pub(crate) const PROGRAMS: &str = "programs";

/// mmdebstrap makes another exit code of the script's.
const KEEP_CODE: &str = "trap 'code=$?; mkdir -p export; echo $code >export/code' EXIT\n";

/// What switches hosts and guests between systems, for the table of packages.
pub(crate) fn switch(inputs: Option<&NixosInputs>) -> String {
    let files = inputs.map_or(&[][..], |inputs| &inputs.lab);
    format!(
        "nixos\tswitch-to-configuration\t{}\n",
        nixos::switch::name(files)
    )
}

/// How much of what the script wrote for the user is shown.
const LINES: usize = 60;

/// What makes the image, but for how many processors do it.
pub(crate) fn key(spec: &RecipeSpec, inputs: Option<&NixosInputs>) -> String {
    // An unreadable table has a key, too; whoever builds it is told.
    let packages = programs::packages(&spec.suite).map_or_else(|why| why, |list| list.join(","));
    let variables = inputs.map(|inputs| variables(spec, inputs));
    let script = script(variables.as_deref().unwrap_or_default());
    let hash = inputs.map(NixosInputs::hash).unwrap_or_default();
    [packages, script, hash].join("\n")
}

/// Writes what the script reads into the work folder.
pub(crate) fn write(inputs: &NixosInputs, work: &Workdir) -> Result<(), ImageError> {
    let file = |name: &str| work.work().join(name);
    inputs.tree.write(&file("nixpkgs.tar"))?;
    if let Some(patch) = &inputs.patch {
        let target = file("nixpkgs.patch");
        std::fs::write(&target, patch).doing("write", target)?;
    }
    let lab = inputs.lab.iter().map(|file| (file.path.clone(), file));
    archive(file("lab.tar"), lab)?;
    if !inputs.modules.is_empty() {
        let all = inputs.modules.iter().enumerate();
        let modules = all.flat_map(|(number, module)| {
            let below = Utf8PathBuf::from(number.to_string());
            let files = module.files.iter();
            files.map(move |file| (below.join(&file.path), file))
        });
        archive(file("modules.tar"), modules)?;
    }
    Ok(())
}

fn archive<'a>(
    target: Utf8PathBuf,
    files: impl Iterator<Item = (Utf8PathBuf, &'a NixosFile)>,
) -> Result<(), ImageError> {
    let out = File::create(&target).doing("create", &target)?;
    let mut tar = Tar::new(std::io::BufWriter::new(out));
    for (path, file) in files {
        let (name, size) = (path.as_str().as_bytes(), file.content.len() as u64);
        tar.file(name, file.executable, size, &mut file.content.as_slice())
            .doing("write", &target)?;
    }
    tar.finish().doing("write", target)?;
    Ok(())
}

/// Runs the script; afterwards the work folder holds the disk and `export/`.
pub(crate) fn run(
    spec: &RecipeSpec,
    inputs: &NixosInputs,
    tools: &Tools,
    work: &Workdir,
) -> Result<(), ImageError> {
    tracing::debug!(mode = tools.mode, "building the system");
    let disk = assemble::DiskFile::create(spec, work)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut variables = variables(spec, inputs);
    variables.push(("CORES", cores.to_string()));
    BuildStep::new(
        "building the system",
        "mmdebstrap",
        work.log("system"),
        plan::SYSTEM_LIMIT,
    )
    .args(["--unshare-helper", "sh", "-c", &script(&variables)])
    .dir(&work.work())
    .stopped_by(work.stop())
    .run()
    .map_err(|error| explained(work.explain(error), inputs, work))?;
    disk.finish()
}

/// The script's values, by the names of its variables.
fn variables(spec: &RecipeSpec, inputs: &NixosInputs) -> Vec<(&'static str, String)> {
    let words = |paths: &[Utf8PathBuf]| {
        let words: Vec<_> = paths.iter().map(|path| path.as_str()).collect();
        words.join(" ")
    };
    let patched = if inputs.patch.is_some() { "yes" } else { "no" };
    vec![
        ("DISK", DISK.to_owned()),
        ("SUITE", spec.suite.clone()),
        ("PATCH", patched.to_owned()),
        ("HOST_MODULES", words(&inputs.module_paths())),
        ("NIXOS_MODULES", words(&spec.nixos_modules)),
        ("INITRD_MODULES", spec.modules.join(" ")),
        ("NIXPKGS_LABEL", inputs.label.clone()),
    ]
}

/// The parts of the script, with `variables` before the first.
fn script(variables: &[(&str, String)]) -> String {
    let mut text = String::from(KEEP_CODE);
    for (name, value) in variables {
        text.push_str(&format!("{name}='{}'\n", value.replace('\'', r"'\''")));
    }
    text.push_str(embedded::MODULES);
    nixos::scripts().for_each(|part| text.push_str(part));
    text
}

/// What the script's exit code says, with what it wrote for the user.
fn explained(error: ImageError, inputs: &NixosInputs, work: &Workdir) -> ImageError {
    let ImageError::Step { log, .. } = &error else {
        return error;
    };
    let export = work.work().join("export");
    let code = std::fs::read_to_string(export.join("code")).unwrap_or_default();
    let (Ok(code), Ok(why)) = (code.trim().parse(), std::fs::read(export.join("why"))) else {
        return error;
    };
    refused(code, &why, inputs.label.clone(), log.clone()).unwrap_or(error)
}

fn refused(code: i32, why: &[u8], label: String, log: Utf8PathBuf) -> Option<ImageError> {
    let why = String::from_utf8_lossy(why);
    let lines: Vec<_> = why.trim().lines().take(LINES).collect();
    let why = lines.join("\n");
    let what = match code {
        20 => "no host can be made of it; name another",
        21 => "the patch does not apply to it; make the patch anew against this tree",
        22 => {
            "the host's configuration does not evaluate; the words below are Nix' and the modules' own"
        }
        24 => "its systems ask for what the programs of Debian do not have",
        23 => return Some(ImageError::NixosBuild { label, log, why }),
        _ => return None,
    };
    Some(ImageError::NixosRefused { label, what, why })
}

#[cfg(test)]
#[path = "nixos_tests.rs"]
mod tests;
