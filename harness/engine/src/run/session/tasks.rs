//! Tasks of selected scenarios: on which layer, how often, and what is left out.

use std::{num::NonZeroUsize, sync::Arc};

use camino::Utf8Path;

use super::Session;
use crate::{
    run::{
        attempt::{Attempt, Observation},
        proof::proof,
        repeat,
        selection::Selected,
        task::Task,
    },
    scenario::{Scenario, capability},
    verdict::Verdict,
};

impl Session {
    /// The task that runs `selected`, whose layers the session has.
    #[must_use]
    pub fn task(self: &Arc<Self>, selected: Selected) -> Task {
        let name = selected.full_name();
        let session = Arc::clone(self);
        let policy = &self.config.policy;
        // A proof runs two scenarios, one after the other, and a skipped one twice.
        let parts = if selected.saboteur.is_some() { 3 } else { 1 };
        Task {
            claim: selected.scenario.claim(),
            limit: self.limit(selected.scenario) * parts * policy.repeat.get(),
            // The two of a proof run one after the other.
            machines: machines(selected.scenario)
                .max(selected.spared.map_or(NonZeroUsize::MIN, machines)),
            skip: self.skip(selected.scenario),
            again: (policy.again)(&name),
            body: Box::new(move |dir| {
                Box::pin(async move {
                    let verdict = session.repeated(selected, &dir).await;
                    let (policy, on) = (&session.config.policy, &session.environment);
                    let name = selected.full_name();
                    let verdict = match selected.saboteur {
                        Some(_) => verdict,
                        None => policy.known.judge(&name, &on.facts(), verdict),
                    };
                    policy
                        .stability
                        .judge(&name, on, policy.repeat.get(), verdict)
                })
            }),
            name,
        }
    }

    /// The task `name` that runs `scenario` once for a comparison, as the run with the place `run` among
    /// the repeats, and looks around as `observation` says.
    #[must_use]
    pub fn compared(
        self: &Arc<Self>,
        scenario: &'static Scenario,
        name: String,
        run: usize,
        observation: Observation,
    ) -> Task {
        let session = Arc::clone(self);
        Task {
            claim: scenario.claim(),
            limit: self.limit(scenario),
            machines: machines(scenario),
            skip: None,
            again: (self.config.policy.again)(&scenario.full_name()),
            body: Box::new(move |dir| {
                Box::pin(async move {
                    let attempt = match session.attempt(scenario, run) {
                        Ok(attempt) => attempt,
                        Err(verdict) => return *verdict,
                    };
                    let attempt = Attempt {
                        observation: Some(observation),
                        ..attempt
                    };
                    attempt.run(&dir).await
                })
            }),
            name,
        }
    }

    /// Why `scenario` is not run on these hosts, with this tool, or under these settings, if it is not.
    #[must_use]
    pub fn skip(&self, scenario: &Scenario) -> Option<String> {
        if let Some(why) = self.obstacle() {
            return Some(why.to_owned());
        }
        if let Some(why) = capability::unfit(&self.manifest, scenario) {
            return Some(why);
        }
        let target = &self.config.target;
        let tool = target.tool.as_ref();
        if let Some(why) = tool.and_then(|tool| tool.not_applicable(scenario)) {
            return Some(why);
        }
        let brings = target.unfit_to_bring(&self.manifest, scenario);
        brings.or_else(|| capability::unpromised(&target.promises, scenario))
    }

    /// The deadline of `scenario` on these hosts.
    fn limit(&self, scenario: &Scenario) -> std::time::Duration {
        let deadline = scenario.deadline(self.config.policy.iterations);
        deadline * self.timeout_factor() * capability::effort(&self.manifest)
    }

    /// An attempt at `scenario` on the layers that its machines start from.
    fn attempt<'s>(
        &'s self,
        scenario: &'s Scenario,
        run: usize,
    ) -> std::result::Result<Attempt<'s>, Box<Verdict>> {
        let layers = scenario.machines.iter();
        let layers = layers.map(|machine| self.layer(machine.base, run));
        let layers = layers.collect::<Result<_, _>>()?;
        Ok(Attempt::of(scenario, layers, self.config.policy.iterations))
    }

    /// Runs `selected` as often as the policy says, with the evidence of each run in a folder of its own.
    async fn repeated(&self, selected: Selected, dir: &Utf8Path) -> Verdict {
        let repeat = self.config.policy.repeat.get();
        if repeat == 1 {
            return self.once(selected, dir).await;
        }
        let mut verdicts = vec![];
        for number in 1..=repeat {
            let dir = dir.join(number.to_string());
            if let Err(error) = fs_err::create_dir_all(&dir) {
                return Verdict::Infrastructure {
                    error: error.to_string(),
                };
            }
            verdicts.push(self.once(selected, &dir).await);
        }
        repeat::together(&verdicts)
    }

    async fn once(&self, selected: Selected, dir: &Utf8Path) -> Verdict {
        let plain = match self.attempt(selected.scenario, 0) {
            Ok(attempt) => attempt,
            Err(verdict) => return *verdict,
        };
        let Some(saboteur) = selected.saboteur else {
            let policy = &self.config.policy;
            let attempt = Attempt {
                keep: policy.keep,
                expected: policy
                    .known
                    .expected(&selected.full_name(), &self.environment.facts()),
                ..plain
            };
            return attempt.run(dir).await;
        };
        let Some(spared) = selected.spared else {
            return Verdict::Infrastructure {
                error: format!(
                    "the saboteur {} spares {}, which is no scenario",
                    saboteur.name, saboteur.spares
                ),
            };
        };
        match self.attempt(spared, 0) {
            Ok(spared) => proof(plain, saboteur, spared, dir).await,
            Err(verdict) => *verdict,
        }
    }
}

/// How many VMs `scenario` needs at once.
fn machines(scenario: &Scenario) -> NonZeroUsize {
    NonZeroUsize::new(scenario.machines.len()).unwrap_or(NonZeroUsize::MIN)
}
