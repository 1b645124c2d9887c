//! All that a verdict may depend on, as one digest.

use crate::{
    layer::labdisk::{self, LabFile},
    run::config::RunConfig,
    util::{digest, error::Result},
    verdict::event::Environment,
};

/// The digest of what scenarios run on, with `files` on the lab disk, and of the scenarios themselves: the text
/// that declares them, and this very program.
///
/// # Errors
/// The program can't be read.
pub(super) fn inputs(
    environment: &Environment,
    files: &[LabFile],
    config: &RunConfig,
) -> Result<String> {
    let target = &config.target;
    let accelerator = environment.accelerator.split(' ').next();
    let deployed = target.fixture.deployed.iter();
    let deployed = deployed.map(|one| format!("{} in {}", one.machine, one.container));
    let settings = target.settings.iter().map(|one| one.content());
    let promises = target.promises.iter().map(|one| one.name().to_owned());
    let pairs = environment.versions.iter().chain(&environment.variables);
    let pairs = pairs.map(|(name, value)| format!("{name} {value}"));
    let program = fs_err::read("/proc/self/exe")?;
    let mut parts = vec![
        digest::of([program.as_slice()]),
        labdisk::hash(files),
        environment.image.clone(),
        accelerator.unwrap_or_default().to_owned(),
        config.policy.iterations.to_string(),
        target.declared_by.clone(),
    ];
    for list in [
        deployed.collect::<Vec<_>>(),
        settings.collect(),
        promises.collect(),
        pairs.collect(),
    ] {
        parts.push(list.join("\n"));
    }
    Ok(digest::of(parts.iter().map(String::as_bytes)))
}
