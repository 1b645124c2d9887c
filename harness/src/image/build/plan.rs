//! The steps of a build, in their order.

use std::time::{Duration, Instant};

use camino::Utf8PathBuf;

use super::{assemble, finish, overlay, preflight, trees, workdir::Workdir};
use crate::image::{error::ImageError, event::ImageEvent, recipe::Recipe};

/// Builds `recipe` in `work` and returns the finished image's folder there.
pub(crate) fn run(
    recipe: &Recipe,
    work: &Workdir,
    progress: &(dyn Fn(ImageEvent) + Sync),
) -> Result<Utf8PathBuf, ImageError> {
    let tools = preflight::check(work)?;
    let began = Instant::now();
    let step = |name: &str, began: Instant| {
        progress(ImageEvent::StepFinished {
            step: name.to_owned(),
            took: began.elapsed(),
        });
    };

    // Half of a tree's time is spent on one processor, so the trees are made at the same time.
    let plans = trees::plans(recipe.spec());
    std::thread::scope(|scope| {
        let builders: Vec<_> = plans
            .iter()
            .map(|plan| {
                let step = &step;
                let tools = &tools;
                scope.spawn(move || {
                    let name = format!("packages of {}", plan.name);
                    progress(ImageEvent::StepStarted { step: name.clone() });
                    trees::build(plan, tools, work).map_err(|error| work.explain(error))?;
                    step(&name, began);
                    Ok(())
                })
            })
            .collect();
        // All are waited for before the first error is looked at, so that none is left behind.
        let results: Vec<_> = builders
            .into_iter()
            .map(std::thread::ScopedJoinHandle::join)
            .collect();
        results.into_iter().try_for_each(|result| match result {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;

    let began = Instant::now();
    progress(ImageEvent::StepStarted {
        step: "root disk".to_owned(),
    });
    overlay::write(recipe, work)?;
    assemble::run(recipe, &tools, work).map_err(|error| work.explain(error))?;
    step("root disk", began);

    let began = Instant::now();
    progress(ImageEvent::StepStarted {
        step: "kernel, initrd and description".to_owned(),
    });
    let out = finish::run(recipe, work)?;
    step("kernel, initrd and description", began);
    Ok(out)
}

/// Limits of the steps: many times what they take on a slow machine with a slow archive.
pub(crate) const TREE_LIMIT: Duration = Duration::from_secs(30 * 60);
pub(crate) const DISK_LIMIT: Duration = Duration::from_secs(15 * 60);
pub(crate) const SHORT_LIMIT: Duration = Duration::from_secs(2 * 60);
