//! The steps of a build, in their order.

use std::time::{Duration, Instant};

use camino::Utf8PathBuf;

use super::{
    assemble, finish, nixos, overlay, preflight, preflight::Tools, programs::Programs, trees,
    workdir::Workdir,
};
use crate::image::{
    error::ImageError,
    event::ImageEvent,
    nixos::programs,
    recipe::{ImageKind, Recipe},
};

/// Where steps are told of.
type Progress<'a> = &'a (dyn Fn(ImageEvent) + Sync);

/// Builds `recipe` in `work` and returns the finished image's folder there. Trees of NixOS hosts' programs are kept in
/// `kept`.
pub(crate) fn run(
    recipe: &Recipe,
    kept: &Programs,
    work: &Workdir,
    progress: Progress<'_>,
) -> Result<Utf8PathBuf, ImageError> {
    let tools = preflight::check(recipe.spec().kind, work)?;
    match recipe.spec().kind {
        ImageKind::Debian => debian(recipe, &tools, work, progress)?,
        ImageKind::Nixos => nixos(recipe, kept, &tools, work, progress)?,
    }
    step("kernel, initrd and description", progress, || {
        finish::run(recipe, work)
    })
}

/// Does `what` as a step that is told of.
fn step<T>(
    name: &str,
    progress: Progress<'_>,
    what: impl FnOnce() -> Result<T, ImageError>,
) -> Result<T, ImageError> {
    let (began, step) = (Instant::now(), name.to_owned());
    progress(ImageEvent::StepStarted { step: step.clone() });
    let done = what()?;
    progress(ImageEvent::StepFinished {
        step,
        took: began.elapsed(),
    });
    Ok(done)
}

fn debian(
    recipe: &Recipe,
    tools: &Tools,
    work: &Workdir,
    progress: Progress<'_>,
) -> Result<(), ImageError> {
    // Half of a tree's time is spent on one processor, so the trees are made at the same time.
    let plans = trees::plans(recipe.spec());
    std::thread::scope(|scope| {
        let builders = plans.iter().map(|plan| {
            scope.spawn(move || {
                step(&format!("packages of {}", plan.name), progress, || {
                    trees::build(plan, tools, work).map_err(|error| work.explain(error))
                })
            })
        });
        all(builders.collect())
    })?;
    step("root disk", progress, || {
        overlay::write(recipe, work)?;
        assemble::run(recipe, tools, work).map_err(|error| work.explain(error))
    })
}

fn nixos(
    recipe: &Recipe,
    kept: &Programs,
    tools: &Tools,
    work: &Workdir,
    progress: Progress<'_>,
) -> Result<(), ImageError> {
    let spec = recipe.spec();
    let Some(inputs) = &recipe.nixos else {
        return Err(ImageError::NoNixpkgs {
            image: spec.name.clone(),
        });
    };
    let mut packages = programs::packages(&spec.suite).map_err(|why| ImageError::Recipe {
        origin: spec.name.clone(),
        why,
    })?;
    packages.extend(spec.packages.iter().cloned());
    let plan = trees::programs(spec, &packages);
    // One waits for the archive, the other for the disk.
    std::thread::scope(|scope| {
        let tree = scope.spawn(|| {
            let name = format!("programs of Debian {}", spec.suite);
            step(&name, progress, || kept.put(&plan, tools, work)).map(|_| ())
        });
        let source = scope.spawn(|| {
            let name = format!("nixpkgs {}", inputs.label);
            step(&name, progress, || {
                nixos::write(inputs, work).map_err(|error| work.explain(error))
            })
        });
        all(vec![tree, source])
    })?;
    step("NixOS, evaluated and built", progress, || {
        nixos::run(spec, inputs, tools, work)
    })
}

/// All are waited for before the first error is looked at, so that none is left behind.
fn all(
    builders: Vec<std::thread::ScopedJoinHandle<'_, Result<(), ImageError>>>,
) -> Result<(), ImageError> {
    let results: Vec<_> = builders
        .into_iter()
        .map(std::thread::ScopedJoinHandle::join)
        .collect();
    results.into_iter().try_for_each(|result| match result {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// Limits of the steps: many times what they take on a slow machine with a slow archive.
pub(crate) const TREE_LIMIT: Duration = Duration::from_secs(30 * 60);
pub(crate) const SYSTEM_LIMIT: Duration = Duration::from_secs(30 * 60);
pub(crate) const DISK_LIMIT: Duration = Duration::from_secs(15 * 60);
pub(crate) const SHORT_LIMIT: Duration = Duration::from_secs(2 * 60);
