//! What a comparison runs, as far as it is known before anything is built.

use std::{num::NonZeroUsize, sync::Arc};

use camino::Utf8Path;
use spawnlab::{
    campaign::case::{Side as SideOf, interleaved},
    image::ImageKind,
    run::{
        attempt::Observation,
        config::{RunConfig, Target},
        selection::Selected,
        session::Session,
        suite::Suite,
        target::{choice::recipe, flake},
        task::Task,
    },
    scenario::{Base, Feature, Scenario, capability},
    verdict::Verdict,
};

use crate::{
    args::{Selection, verify::VerifyArgs},
    commands::run::ordinary,
    lab::side::SideVariables,
    output::error::CliError,
};

/// What tells two hosts apart: links, leases, and what the rules counted.
const LOOK: &str = include_str!("look.sh");

/// How many scenarios a message names.
const NAMED: usize = 2;

/// A comparison that is to be run.
pub(crate) struct VerifyPlan {
    /// The sides, base first.
    pub(crate) sides: [SideVariables; 2],
    /// What their sessions are opened with.
    pub(crate) configs: [RunConfig; 2],
    /// The names of the scenarios of all shards together.
    pub(crate) planned: Vec<String>,
    /// The scenarios of this shard, each with the reason if it can't be compared.
    pub(crate) scenarios: Vec<(Selected, Option<String>)>,
}

impl VerifyPlan {
    /// What `args` mean.
    ///
    /// # Errors
    /// A side that can't be had, or nothing to compare.
    pub(crate) fn of(args: &VerifyArgs, suite: &Suite) -> Result<Self, CliError> {
        let sides = args.sides(suite)?;
        let all = ordinary(suite.to_run(), &grouped(&args.selection, suite))?;
        let configs = [
            args.config(suite, &sides[0])?,
            args.config(suite, &sides[1])?,
        ];
        let mut scenarios: Vec<(Selected, Option<String>)> = all
            .into_iter()
            .map(|wanted| (wanted, excluded(wanted.scenario, suite, &sides, &configs)))
            .collect();
        if scenarios.iter().all(|(_, excluded)| excluded.is_some()) {
            return Err(nothing_to_compare(&scenarios, suite));
        }
        let name = |(wanted, _): &(Selected, Option<String>)| wanted.full_name();
        let planned: Vec<String> = scenarios.iter().map(name).collect();
        if let Some(shard) = args.shard {
            scenarios.retain(|one| shard.holds(&name(one)));
            if scenarios.is_empty() {
                let why = format!(
                    "shard {shard} holds none of the {} scenarios",
                    planned.len()
                );
                return Err(CliError::nothing("--shard", why).hint("take fewer shards"));
            }
        }
        Ok(Self {
            sides,
            configs,
            planned,
            scenarios,
        })
    }

    /// The scenarios that layers are made for.
    pub(crate) fn comparable(&self) -> Vec<Selected> {
        let comparable = self.scenarios.iter().filter(|(_, why)| why.is_none());
        comparable.map(|(wanted, _)| *wanted).collect()
    }

    /// The runs on `sessions`, base first; without sessions, nothing is comparable. The order is that of
    /// [`interleaved`].
    pub(crate) fn tasks(
        &self,
        args: &VerifyArgs,
        suite: &Suite,
        sessions: &[Arc<Session>],
    ) -> Vec<Task> {
        let again = args.again();
        let mut tasks = vec![];
        for (wanted, excluded) in &self.scenarios {
            let scenario = wanted.scenario;
            let name = scenario.full_name();
            // What one side skips says nothing about the change, and is not worth the other's time.
            let own = own_rules(scenario, suite, &self.sides);
            let skip = || sessions.iter().find_map(|session| session.skip(scenario));
            let skip = own.or_else(skip).or_else(|| excluded.clone());
            let undecided = scenario
                .bases()
                .into_iter()
                .find_map(|base| unprepared(sessions, base));
            for run in interleaved([name.as_str()].into_iter(), args.repeat.get()) {
                let session = match run.side {
                    SideOf::Base => sessions.first(),
                    SideOf::Change => sessions.get(1),
                };
                // One diagnosis of a chain that is whole is enough.
                let observation = Observation {
                    diagnose: run.repeat == 1,
                    script: LOOK,
                };
                let position = usize::try_from(run.repeat - 1).unwrap_or(0);
                tasks.push(match (session, &skip) {
                    (Some(session), None) => {
                        let mut task =
                            session.compared(scenario, run.name(), position, observation);
                        if let Some(verdict) = undecided.clone() {
                            task.body = Box::new(|_| Box::pin(async { verdict }));
                        }
                        task
                    }
                    _ => skipped(scenario, run.name(), again.command(&name), skip.clone()),
                });
            }
        }
        tasks
    }

    /// What the runs of a side have in common, and what each has of its own.
    pub(crate) fn shared(&self) -> Vec<String> {
        let mut lines = vec![
            "shared by all runs of a side: its boot, its provisioning and the first deploy"
                .to_owned(),
        ];
        let mut settings = self.sides.iter().flat_map(SideVariables::settings);
        if let Some(setting) = settings.next() {
            lines.push(format!(
                "each repeat has a start of the containers under the {} of its own, and with it their first lease",
                setting.variable()
            ));
        }
        if self.sides.iter().any(|side| side.nixpkgs.is_some()) {
            let line = "that deploy came to rest when each container had its lease, or its requests had been refused";
            lines.push(line.into());
        }
        lines
    }
}

/// `selection` with the filters that names of groups stand for.
fn grouped(selection: &Selection, suite: &Suite) -> Selection {
    let filters = selection.filters.iter().flat_map(|filter| {
        let group = suite.groups().iter().find(|(name, _)| filter == name);
        match group {
            Some((_, filters)) if !selection.exact => {
                filters.iter().map(|filter| (*filter).to_owned()).collect()
            }
            _ => vec![filter.clone()],
        }
    });
    Selection {
        filters: filters.collect(),
        exact: selection.exact,
    }
}

/// Why `scenario` can't be compared, as far as it is known from declarations.
fn excluded(
    scenario: &Scenario,
    suite: &Suite,
    sides: &[SideVariables; 2],
    configs: &[RunConfig; 2],
) -> Option<String> {
    let unfit = || configs.iter().find_map(|one| unfit(scenario, &one.target));
    own_rules(scenario, suite, sides).or_else(unfit)
}

/// Why `scenario` says nothing of sides that differ in a variable of `suite`, if it does not.
fn own_rules(scenario: &Scenario, suite: &Suite, sides: &[SideVariables; 2]) -> Option<String> {
    suite.variables().iter().find_map(|variable| {
        let name = variable.name();
        let set = |side: &SideVariables| side.set.iter().any(|(set, _)| *set == name);
        if !sides.iter().any(set) {
            return None;
        }
        let why = variable.says_nothing(scenario)?;
        Some(format!("{why}, so it says nothing about `{name}=`"))
    })
}

/// Why `scenario` is not run on `target`, if it is not.
fn unfit(scenario: &Scenario, target: &Target) -> Option<String> {
    let unpromised = capability::unpromised(&target.promises, scenario);
    if unpromised.is_some() {
        return unpromised;
    }
    let image = target.image.image.as_deref();
    let built = image.is_some_and(|image| Utf8Path::new(image).is_dir() || flake::is_meant(image));
    let recipe = (!built).then(|| recipe(image).ok()).flatten()?;
    let spec = recipe.spec();
    let of_nixos = scenario.wants.contains(&Feature::NixosModules);
    (of_nixos && spec.kind == ImageKind::Debian).then(|| capability::is_no_nixos(&spec.name))
}

/// The message that none of `scenarios` can be compared.
fn nothing_to_compare(scenarios: &[(Selected, Option<String>)], suite: &Suite) -> CliError {
    let mut reasons: Vec<(&str, Vec<String>)> = vec![];
    for (wanted, why) in scenarios {
        let Some(why) = why else { continue };
        match reasons.iter_mut().find(|(known, _)| known == why) {
            Some((_, names)) => names.push(wanted.full_name()),
            None => reasons.push((why, vec![wanted.full_name()])),
        }
    }
    let reasons = reasons.iter().map(|(why, names)| {
        let first = names[..names.len().min(NAMED)].join(", ");
        match names.len().saturating_sub(NAMED) {
            0 => format!("{first}: {why}"),
            more => format!("{first} and {more} more: {why}"),
        }
    });
    let reasons = reasons.collect::<Vec<_>>().join("; ");
    let mut hint = "without a filter every scenario is compared that can be".to_owned();
    for (name, filters) in suite.groups() {
        hint += &format!("; `{name}` alone stands for {}", filters.join(", "));
    }
    CliError::nothing("selection", format!("nothing can be compared: {reasons}")).hint(hint)
}

/// The task `name` of a `scenario` that is not run on either side.
fn skipped(scenario: &Scenario, name: String, again: String, why: Option<String>) -> Task {
    let why = why.unwrap_or_else(|| "nothing was opened".into());
    let verdict = Verdict::Skipped { why: why.clone() };
    Task {
        name,
        claim: scenario.claim(),
        limit: scenario.limit,
        machines: NonZeroUsize::MIN,
        skip: Some(why),
        again,
        body: Box::new(|_| Box::pin(async { verdict })),
    }
}

/// The verdict of every scenario on `base` where neither side has such a layer: nothing was run that
/// could say anything of the change.
fn unprepared(sessions: &[Arc<Session>], base: Base) -> Option<Verdict> {
    let mut whys = vec![];
    for (side, session) in SideOf::ALL.iter().zip(sessions) {
        let essence = spawnlab::report::text::essence(&session.unprepared(base)?);
        whys.push(format!("{}: {essence}", side.name()));
    }
    (!whys.is_empty()).then(|| Verdict::Infrastructure {
        error: format!(
            "neither side has the layer {}: {}",
            base.name(),
            whys.join("; ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use spawnlab::prelude::*;

    use super::*;

    /// A page is there.
    #[scenario(on = Host, area = "plan")]
    #[saboteur("gone", fails = "the page", spares = "plan::is_short" => "true")]
    async fn is_there(_: &Lab) -> Outcome {
        expect("the page").equal(1, 1)
    }

    /// A page is short.
    #[scenario(on = Host, area = "plan", needs = [RollsBack])]
    #[saboteur("long", fails = "the length", spares = "plan::is_there" => "true")]
    async fn is_short(_: &Lab) -> Outcome {
        expect("the length").equal(1, 1)
    }

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: VerifyArgs,
    }

    fn plan(words: &[&str]) -> Result<VerifyPlan, CliError> {
        let scenarios = spawnlab::scenarios!();
        let scenarios = scenarios.into_iter().filter(|one| one.area == "plan");
        let suite = Suite::of(scenarios).group("pages", &["plan::"]);
        let words = ["verify"].iter().chain(words);
        let args = Line::try_parse_from(words).expect("a command line").args;
        VerifyPlan::of(&args, &suite)
    }

    const OWN: [&str; 4] = ["--base", "guest=trixie", "--change", "guest=sid"];
    const TOOLS: [&str; 4] = ["--base", "tool=/bin/sh", "--change", "guest=sid"];

    fn names(words: &[&str]) -> Vec<String> {
        let plan = plan(&[&OWN, words].concat()).expect("comparable");
        let names = plan.scenarios.iter().map(|(one, _)| one.full_name());
        names.collect()
    }

    #[test]
    fn a_group_stands_for_its_filters() {
        assert_eq!(names(&["pages"]), names(&["plan::"]));
        // With --exact, a filter is a name.
        assert!(plan(&[&OWN[..], &["--exact", "pages"]].concat()).is_err());
    }

    #[test]
    fn no_layer_is_made_for_what_can_not_be_compared() {
        let plan = plan(&TOOLS).expect("one can be");
        let comparable: Vec<String> = plan.comparable().iter().map(Selected::full_name).collect();
        assert_eq!(comparable, ["plan::is_there"]);
        let excluded: Vec<_> = plan
            .scenarios
            .iter()
            .filter_map(|(_, why)| why.as_ref())
            .collect();
        assert_eq!(excluded, ["the tool does not promise rolls-back"]);
    }

    #[test]
    fn nothing_to_compare_is_a_message_with_the_reasons() {
        let words = [&TOOLS[..], &["--exact", "plan::is_short"]].concat();
        let cli_error = plan(&words).err().expect("nothing can be compared");
        insta::assert_snapshot!(cli_error.to_string(), @r"
        error: selection: nothing can be compared: plan::is_short: the tool does not promise rolls-back
        hint: without a filter every scenario is compared that can be; `pages` alone stands for plan::
        ");
    }

    #[test]
    fn shards_share_out_the_scenarios() {
        let mut shared = vec![];
        for shard in ["1/2", "2/2"] {
            // A shard may be empty, and says so.
            let Ok(plan) = plan(&[&OWN[..], &["--shard", shard]].concat()) else {
                continue;
            };
            assert_eq!(plan.planned, names(&[]), "each knows all");
            shared.extend(plan.scenarios.iter().map(|(one, _)| one.full_name()));
        }
        shared.sort();
        let mut all = names(&[]);
        all.sort();
        assert_eq!(shared, all);
    }
}
