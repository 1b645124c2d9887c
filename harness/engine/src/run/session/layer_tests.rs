//! Layers of a session: deployed and put under settings on hosts that a script plays.

use std::sync::Arc;

use super::{
    applied::applied, deployed::deployed, open::LabPrograms, provisioned::provisioned,
    refused::Leases,
};
use crate::{
    image::manifest_sample,
    layer::labdisk::LabDisk,
    run::{
        config::Target,
        scripted::{Ends, ScriptedLab, Strict, fails, is_skipped, passes, waits_in_vain},
        target::programs::LabProgram,
        variable::Setting,
    },
    scenario::{
        Base,
        fixture::{Deployed, Fixture},
    },
    verdict::{ScenarioError, hop::Hop},
    vm::qemu::scripted::Reply,
};

fn fixture() -> Fixture {
    Fixture {
        files: vec![],
        deployed: vec![Deployed {
            machine: "web".into(),
            container: "web".into(),
        }],
    }
}

fn refuses() -> Reply {
    Reply::Ends(1, "error: no such machine".into())
}

fn hangs() -> Reply {
    Reply::Hangs
}

fn works() -> Reply {
    Reply::Ends(0, String::new())
}

#[rstest::rstest]
#[case::it_fails(refuses, "deploying the layer", "exit status 1")]
#[case::it_never_ends(hangs, "deploying the layer", "waited 8m")]
#[case::its_guest_never_settles(works, "the container settles", "running")]
#[tokio::test(start_paused = true)]
async fn a_tool_that_deploys_nothing_is_a_failure_with_its_broken_hop(
    #[case] tool: fn() -> Reply,
    #[case] assertion: &str,
    #[case] says: &str,
) {
    let lab = ScriptedLab::new().await;
    lab.is_like("not-deployed");
    lab.reply("nixos-deploy-container", tool());
    let stack = lab.cache.stack();
    let (tool, fixture) = (LabProgram::File("/the/tool".into()), fixture());
    let retried = deployed(&stack, &lab.layer, &tool, &fixture, Leases::Needed).await;
    let broken = retried.unwrap_err();
    let ScenarioError::Failed(failure) = &broken else {
        panic!("{broken}");
    };
    assert_eq!(failure.assertion, assertion);
    assert!(failure.to_string().contains(says), "{failure}");
    assert_eq!(failure.hop, Some(Hop::Profile));
    assert_eq!(lab.cache.names(), ["booted"], "nothing of it is left");
}

#[rstest::rstest]
#[case::the_disk_is_not_there("mount -o ro", refuses, "failed", "should succeed")]
#[case::it_fails("/lab/provision", refuses, "failed", "provisioning")]
#[case::it_never_ends("/lab/provision", hangs, "timed-out", "16m")]
#[tokio::test(start_paused = true)]
async fn a_host_that_can_not_be_provisioned_is_no_layer(
    #[case] command: &'static str,
    #[case] reply: fn() -> Reply,
    #[case] word: &str,
    #[case] says: &str,
) {
    let lab = ScriptedLab::new().await;
    lab.reply(command, reply());
    let file = lab.evidence.join("lab.raw");
    fs_err::write(&file, "a disk").unwrap();
    let disk = LabDisk {
        file,
        hash: "0123".into(),
    };
    let programs = LabPrograms {
        tool: LabProgram::File("/the/tool".into()),
        agent: None,
    };
    let (stack, target) = (lab.cache.stack(), Target::of(fixture()));
    let manifest = manifest_sample();
    let retried = provisioned(&stack, &lab.layer, &disk, &manifest, (&target, &programs)).await;
    let broken = retried.unwrap_err();
    assert!(broken.to_string().contains(says), "{broken}");
    assert_eq!(broken.into_verdict().word(), word);
    assert_eq!(lab.cache.names(), ["booted"]);
}

#[rstest::rstest]
#[case::it_is_applied(passes, Base::Host, 1, Ok("host-strict"))]
#[case::another_start(passes, Base::Host, 2, Ok("host-strict-2"))]
#[case::it_is_refused(fails, Base::Host, 1, Err("failed"))]
#[case::it_waits_in_vain(waits_in_vain, Base::Host, 1, Err("timed-out"))]
#[case::it_says_nothing_of_this_host(is_skipped, Base::Host, 1, Err("skipped"))]
#[case::containers_do_not_start(passes, Base::Deployed, 1, Err("infrastructure"))]
#[tokio::test(start_paused = true)]
async fn a_host_is_put_under_a_setting_or_the_verdict_says_why_not(
    #[case] ends: Ends,
    #[case] base: Base,
    #[case] start: u32,
    #[case] retried: Result<&str, &str>,
) {
    let lab = ScriptedLab::new().await;
    lab.reply("systemctl stop systemd-nspawn@web", refuses());
    let setting: Arc<dyn Setting> = Arc::new(Strict(ends));
    let stack = lab.cache.stack();
    let layer = applied(&setting, &stack, base, (&lab.layer, start), &["web"]).await;
    let found = match &layer {
        Ok(layer) => Ok(layer.name().to_owned()),
        Err(broken) => Err(broken.to_string()),
    };
    let word = layer.map_err(|broken| broken.into_verdict().word());
    let name = word
        .as_ref()
        .map(|layer| layer.name())
        .map_err(|word| *word);
    assert_eq!(name, retried, "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn layers_under_other_settings_are_other_layers() {
    let lab = ScriptedLab::new().await;
    let stack = lab.cache.stack();
    let setting: Arc<dyn Setting> = Arc::new(Strict(passes));
    let mut keys = vec![];
    for (start, containers) in [(1, &["web"][..]), (2, &["web"]), (1, &["web", "second"])] {
        let layer = applied(
            &setting,
            &stack,
            Base::Host,
            (&lab.layer, start),
            containers,
        );
        keys.push(layer.await.unwrap().key().clone());
    }
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 3);
}
