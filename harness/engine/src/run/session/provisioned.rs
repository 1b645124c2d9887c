//! The hosts that all others stand on: the image, booted and provisioned from the lab disk.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use camino::Utf8Path;

use super::{deployed::tool, files, open::LabPrograms};
use crate::{
    image::{Image, Manifest},
    layer::{
        labdisk::LabDisk, platform::Platform, recipe::LayerRecipe, saved::Layer, stack::Stack,
    },
    run::{
        config::Target,
        target::{
            guest::{self, Guest},
            programs::LabProgram,
        },
    },
    scenario::expect::expect,
    util::{digest, error::Result},
    verdict::{Outcome, ScenarioError, event::Environment},
    vm::{
        host::Host,
        qemu::{accel, identity},
        verbs::Verbs,
    },
};

/// Run on every host behind its own provisioning.
const UPLINK: &str = include_str!("uplink.sh");

/// Longest time for provisioning, stated for a machine with KVM.
const PROVISIONING: Duration = Duration::from_secs(240);

/// What hosts of `image` are started with, and what a report says of them.
pub(super) async fn platform(
    image: &Image,
    guest: &Guest,
    (target, tested): (&Target, &LabProgram),
    cache: &Utf8Path,
) -> Result<(Platform, Environment)> {
    let qemu = identity::installed()?;
    let proved = accel::choose(target.accel, &image.kernel(), cache).await?;
    let manifest = image.manifest();
    let version = |version: &str| version.to_owned();
    let mut environment = Environment {
        image: format!(
            "{} {}",
            manifest.name,
            image.id().get(..16).unwrap_or(image.id())
        ),
        accelerator: format!("{} ({})", proved.accel.name(), proved.why),
        tool: tested.to_string(),
        versions: BTreeMap::from([
            ("os".to_owned(), version(&manifest.os.pretty)),
            ("systemd".to_owned(), version(&manifest.versions.systemd)),
            ("nix".to_owned(), version(&manifest.versions.nix)),
            ("kernel".to_owned(), version(&manifest.versions.kernel)),
            ("guest".to_owned(), guest.suite().to_owned()),
            ("guest-systemd".to_owned(), guest.systemd().to_owned()),
            ("qemu".to_owned(), qemu.line.clone()),
            ("spawnlab".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ]),
        variables: variables(target),
        inputs: None,
    };
    if let Some(switch) = guest::switch(image) {
        let name = "switch-to-configuration".to_owned();
        environment.versions.insert(name, switch);
    }
    let platform = Platform::of(image, proved.accel, qemu)?;
    Ok((platform, environment))
}

/// The layer on top of `booted` with what `disk` brings.
pub(super) async fn provisioned(
    stack: &Stack,
    booted: &Arc<Layer>,
    disk: &LabDisk,
    manifest: &Manifest,
    (target, programs): (&Target, &LabPrograms),
) -> std::result::Result<Arc<Layer>, ScenarioError> {
    let provision = manifest.provision.to_string();
    let port = programs
        .agent
        .is_some()
        .then(|| manifest.agent.port.clone());
    let declarations = target.host.clone();
    let recipe = LayerRecipe {
        name: "host".into(),
        made_of: vec![
            ("lab disk".into(), disk.hash.clone()),
            ("provision".into(), provision.clone()),
            ("uplink".into(), digest::of([UPLINK.as_bytes()])),
        ],
        built_with: tool(&programs.tool),
        lab: Some(disk.file.clone()),
        work: Arc::new(move |host: Arc<Host>| {
            let (provision, port) = (provision.clone(), port.clone());
            let declarations = declarations.clone();
            Box::pin(async move {
                mount(&host).await?;
                if let Some(declarations) = declarations {
                    declarations.check(&host).await?;
                }
                provision_host(&host, &provision, port.as_deref()).await
            })
        }),
    };
    stack.child(booted, recipe).await
}

async fn mount(host: &Host) -> Outcome {
    // What the kernel has read of the disk while it was the booted layer's empty one is stale.
    host.succeed(
        "disk=/dev/disk/by-id/virtio-lab; blockdev --flushbufs $disk; mkdir -p /lab; mount -o ro $disk /lab",
    )
    .await?;
    Ok(())
}

async fn provision_host(host: &Host, provision: &str, port: Option<&str>) -> Outcome {
    let output = host.execute_with(provision, b"", PROVISIONING).await?;
    expect("provisioning").succeeded(output)?;
    host.succeed(UPLINK).await?;
    if let Some(port) = port {
        host.take_agent(&format!("/lab/{}", files::AGENT), port)
            .await?;
    }
    Ok(())
}

/// What of `target` the user chose, as the command line has it.
fn variables(target: &Target) -> BTreeMap<String, String> {
    let settings = target.settings.iter();
    let settings = settings.map(|one| (one.variable().to_owned(), one.text()));
    let host = target.host.iter();
    let host = host.map(|host| ("host".to_owned(), host.file.to_string()));
    settings.chain(host).collect()
}
