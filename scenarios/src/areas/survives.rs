//! What is left when the host's power is cut: what was not flushed is lost, as on a real machine.

mod container;
mod down;
mod held;
mod memory;
mod soaked;
mod stopped;
mod whole;

use std::{ops::RangeInclusive, time::Duration};

use spawnlab::{
    prelude::*,
    scenario::power::{
        found::{Found, missing_program},
        sweep::{Cut, Sweep, summary},
    },
};

use self::whole::NIX_AS_IT_IS;
pub(super) use self::{
    held::{GO, HOLDS, hold},
    whole::{
        DAMAGE, FAILING_UNIT, SERVER_STOPS, SOMETHING_IS_LEFT, is_whole, nothing_is_left, serves,
    },
};
use crate::generation::{page, profile, runs_its_profile};

/// For each turn, how many power cuts of a deploy lose some of what is not flushed, beside one at each flush: 500 in a soak run.
const SUBSETS: usize = 25;
/// Where those cuts are, and what they lose, is the same in each run.
const SEED: u64 = 14;

/// Whoever waits for the host's disk does not wait.
const NO_FLUSH: Change = shim("sync", "exit 0");

/// From the second time on, whoever waits for the disk waits for ever, and leaves a word of it: a deploy has built then,
/// and is about to move the profile.
const HANGING_FLUSH: Change = shim(
    "sync",
    r#"case $2 in /nix/store) touch /run/built; exec sleep 600 ;; esac
    real "$@""#,
);

/// A profile is not replaced, but removed and made anew.
const OLD_LINK_GOES_FIRST: Change = shim(
    "mv",
    r#"for last; do :; done
    case $last in */system) rm -f $last; sync ;; esac
    real "$@""#,
);

/// What a booted host has of a container. The tree of the guests' distribution, which no deploy brings, is not hashed: an
/// emulated host would take minutes.
const WHOLE: &str = "p=/nix/var/nix/profiles/per-container/web/system; readlink $p
    nix-store --verify-path $(du -s $(nix-store -qR $p) | awk '$1 < 20000 { print $2 }') 2>&1 && echo whole";

/// The power is cut at once after the tool has said that a container is set to a generation, and all is lost that was not
/// flushed: the host comes up and serves that generation.
#[scenario(on = Host, limit = 240, disk = Logged, needs = [SurvivesPowerCuts])]
#[saboteur("nothing-is-flushed", fails = "what the host has after the power cut",
    spares = "deploy::first_deploy_starts_the_container" => NO_FLUSH)]
async fn acknowledged_generation_outlives_a_power_cut(lab: &Lab) -> Outcome {
    lab.host().succeed(NIX_AS_IT_IS).await?;
    // A start of the container takes so long that the kernel writes all by itself.
    let output = lab.deploy(Deploy::of("web").flag("--no-activate")).await?;
    expect("the deploy").succeeded(output)?;
    lab.power_cut(Loss::All).await?;
    lab.power_on().await?;
    let found = what_it_has(lab).await?;
    expect("what the host has after the power cut")
        .equal(found.as_str(), "system-1-link\nwhole")?;
    is_up_and_serves(lab, "web version 1").await
}

/// The power is cut when a deploy has built and not yet moved the profile: the host comes up on the old generation, whole. What
/// Nix has registered by then is not there, and the next deploy does not take it for whole.
#[scenario(on = Deployed, limit = 300, disk = Logged, needs = [SurvivesPowerCuts])]
#[saboteur("registered-is-taken-for-whole", fails = "what the host has after the next deploy",
    spares = "deploy::second_deploy_switches_without_restart" =>
    "nix=$(command -v nix-store)
     mkdir -p /usr/local/bin
     printf '#!/bin/sh\\n[ \"$1\" != --verify-path ] || [ -e /run/honest ] || exit 0\\nexec %s \"$@\"\\n' $nix > /usr/local/bin/nix-store
     chmod 755 /usr/local/bin/nix-store
     sync")]
async fn deploy_after_one_that_was_cut_short_heals(lab: &Lab) -> Outcome {
    lab.host().succeed(NIX_AS_IT_IS).await?;
    lab.host().succeed(&HANGING_FLUSH.script()).await?;
    let cut = async {
        let built = "test -e /run/built";
        lab.host()
            .wait_until_succeeds(built, Duration::from_secs(60))
            .await?;
        lab.power_cut(Loss::All).await
    };
    let deploy = async {
        match lab.deploy(Deploy::of("web-v2").into("web")).await {
            Ok(output) => output,
            // The host has no power any more.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        output = deploy => {
            let ended = expect("the deploy before the power cut");
            ended.that(false, "one that waits for the disk", output.stderr)?;
        }
        cut = cut => cut?,
    }
    lab.power_on().await?;
    let found = what_it_has(lab).await?;
    expect("what the host has after the power cut")
        .equal(found.as_str(), "system-1-link\nwhole")?;
    is_up_and_serves(lab, "web version 1").await?;
    let output = lab.deploy(Deploy::of("web-v2").into("web")).await?;
    lab.host().succeed("touch /run/honest").await?;
    // It depends on what was lost whether a deploy that takes it for whole fails, or brings it into use.
    let found = if output.status.success() {
        what_it_has(lab).await?
    } else {
        output.stderr
    };
    expect("what the host has after the next deploy")
        .equal(found.as_str(), "system-2-link\nwhole")?;
    is_up_and_serves(lab, "web version 2").await
}

/// Wherever the power is cut while containers are deployed, for the first time and again, their profiles lead to the old
/// generation or the new one, whole, and to the new one once the tool has said that it succeeded. Looked at without
/// booting: a cut at each flush, and others that lose some of what is not flushed.
#[scenario(on = Deployed, limit = 300, per_iteration = 30, disk = Logged, needs = [SurvivesPowerCuts])]
#[saboteur("nothing-is-flushed", fails = "power cuts that lose",
    spares = "deploy::second_deploy_switches_without_restart" => NO_FLUSH)]
async fn every_cut_of_a_deploy_leaves_it_whole(lab: &Lab) -> Outcome {
    needs_programs()?;
    lab.host().succeed(NIX_AS_IT_IS).await?;
    let first = Recorded::of(lab, "first deploy", Deploy::of("bare"), "bare").await?;
    let second = Deploy::of("web-v2").into("web");
    let second = Recorded::of(lab, "second deploy", second, "web").await?;
    power_is_cut_during(lab, &[first, second]).await
}

/// The same for a deploy that fails, since the new generation does not start: the old one, whole, once the tool has said so.
#[scenario(on = Deployed, limit = 300, per_iteration = 15, disk = Logged, needs = [SurvivesPowerCuts, RestoresAfterFailure])]
#[expects(FailedUnit("broken.service") in "web", because = "the generation that is deployed is broken")]
#[saboteur("old-link-goes-first", fails = "power cuts that lose",
    spares = "deploy::second_deploy_switches_without_restart" => OLD_LINK_GOES_FIRST)]
async fn every_cut_of_a_failed_deploy_leaves_it_whole(lab: &Lab) -> Outcome {
    needs_programs()?;
    lab.host().succeed(NIX_AS_IT_IS).await?;
    let broken = Deploy::of("web-broken").into("web");
    let failed = Recorded::of_failed(lab, "failed deploy", broken, "web").await?;
    power_is_cut_during(lab, &[failed]).await
}

/// The same for a rollback.
#[scenario(on = Deployed, limit = 300, per_iteration = 15, disk = Logged, needs = [SurvivesPowerCuts, RollsBack])]
#[saboteur("old-link-goes-first", fails = "power cuts that lose",
    spares = "deploy::second_deploy_switches_without_restart" => OLD_LINK_GOES_FIRST)]
async fn every_cut_of_a_rollback_leaves_it_whole(lab: &Lab) -> Outcome {
    needs_programs()?;
    lab.host().succeed(NIX_AS_IT_IS).await?;
    let output = lab.deploy(Deploy::of("web-v2").into("web")).await?;
    expect("the deploy before").succeeded(output)?;
    let back = Deploy::of("web").flag("--rollback");
    let back = Recorded::of(lab, "rollback", back, "web").await?;
    power_is_cut_during(lab, &[back]).await
}

fn needs_programs() -> Outcome {
    match missing_program() {
        None => Ok(()),
        Some(program) => Err(ScenarioError::Skipped(format!(
            "this machine has no {program}, with which disks are looked at"
        ))),
    }
}

/// A deploy that is over, and where it is in the log of the disk.
struct Recorded {
    name: &'static str,
    container: &'static str,
    entries: RangeInclusive<usize>,
    /// Generations that the profile may lead to before the deploy is over.
    meanwhile: [String; 2],
    /// The one that it leads to when the deploy is over.
    after: String,
}

impl Recorded {
    /// Records a deploy that succeeds.
    async fn of(
        lab: &Lab,
        name: &'static str,
        deploy: Deploy<'_>,
        container: &'static str,
    ) -> Result<Self, ScenarioError> {
        let (recorded, output) = Self::logged(lab, name, deploy, container).await?;
        expect("the deploy").succeeded(output)?;
        Ok(recorded)
    }

    /// Records a deploy that fails when its generation is activated, and goes back.
    async fn of_failed(
        lab: &Lab,
        name: &'static str,
        deploy: Deploy<'_>,
        container: &'static str,
    ) -> Result<Self, ScenarioError> {
        let (failed, output) = Self::logged(lab, name, deploy, container).await?;
        expect("the deploy that fails").refused(output)?;
        let [before, _] = failed.meanwhile;
        expect("the generation after it").equal(&failed.after, &before)?;
        Ok(Self {
            meanwhile: [before, "system-2-link".to_owned()],
            ..failed
        })
    }

    /// Records a deploy, however it ends, and returns what it says, too.
    async fn logged(
        lab: &Lab,
        name: &'static str,
        deploy: Deploy<'_>,
        container: &'static str,
    ) -> Result<(Self, Output), ScenarioError> {
        let (before, _) = profile(lab.host(), container).await?;
        let from = lab.logged_disk()?.log()?.entries.len();
        let output = lab.deploy(deploy).await?;
        // At once: what comes later is on the disk by chance.
        let to = lab.logged_disk()?.log()?.entries.len();
        let (after, _) = profile(lab.host(), container).await?;
        let recorded = Self {
            name,
            container,
            entries: from..=to,
            meanwhile: [before, after.clone()],
            after,
        };
        Ok((recorded, output))
    }

    /// What is wrong with what was `found` after `cut`.
    fn wrong(&self, cut: &Cut, found: &Found) -> Option<String> {
        let done = cut.after == *self.entries.end();
        let generation = &found.generation;
        let may_be = *generation == self.after || (!done && self.meanwhile.contains(generation));
        if may_be && found.is_whole() {
            return None;
        }
        let broken = found.broken.join(", ");
        Some(format!("{}, {cut:?}: {generation:?} {broken}", self.name))
    }
}

async fn power_is_cut_during(lab: &Lab, deploys: &[Recorded]) -> Outcome {
    let subsets = SUBSETS * usize::try_from(lab.iterations().get()).unwrap_or(usize::MAX);
    let (mut said, mut lost) = (vec![], vec![]);
    for deploy in deploys {
        let mut sweep = Sweep::new(lab.logged_disk()?, deploy.container).await?;
        let mut cuts = Cut::all(sweep.log(), &deploy.entries, subsets, SEED);
        cuts.extend([Loss::All, Loss::None].map(|loss| Cut {
            after: *deploy.entries.end(),
            loss,
        }));
        let seen = sweep.look(&cuts).await?;
        let wrong = seen
            .iter()
            .filter_map(|(cut, found)| deploy.wrong(cut, found));
        let before = lost.len();
        lost.extend(wrong);
        said.push(format!(
            "{}: {} power cuts, {} of them lose; {}",
            deploy.name,
            seen.len(),
            lost.len() - before,
            summary(&seen)
        ));
    }
    let figures = lab.host().evidence().join("power-cuts.txt");
    let text = [said.clone(), lost.clone()].concat().join("\n") + "\n";
    std::fs::write(figures, text).map_err(Error::from)?;
    expect("power cuts that lose").that(lost.is_empty(), "none", said.join("\n"))
}

async fn what_it_has(lab: &Lab) -> Result<String> {
    let has = lab.host().execute_within(WHOLE, Duration::from_secs(60));
    Ok(has.await?.stdout.trim().to_owned())
}

/// The host is up, and `web` serves `wanted` from the closure that its profile leads to.
async fn is_up_and_serves(lab: &Lab, wanted: &str) -> Outcome {
    let host = lab.host();
    host.execute_within("systemctl is-system-running --wait", lab.seconds(30))
        .await?;
    host.container("web").wait_ready().await?;
    runs_its_profile(host, "web").await?;
    let page = expect("the page").succeeded(page(host, "web").await?)?;
    expect("the page").equal(page.trim(), wanted)
}
